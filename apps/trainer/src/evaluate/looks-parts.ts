/** @file Parts `timesteps` and `attention`: looks into the model, for the page alone. */
import { nextTask } from '@transfusion/core';
import { type CaptionOrder, captionDocument, imageOf } from '@transfusion/data';
import { type AttentionMaps, attentionMaps } from '@transfusion/evaluation';
import { lossByTimestep, spread, type TrainingExample } from '@transfusion/training';
import { type AttentionDocument, attentionSection } from '../report/attention-view.js';
import { PREDICTED } from '../report/report.js';
import { splitSeries, timestepSection } from '../report/timestep-chart.js';
import { type Examination, LOOKED_AT, withBar } from './examination.js';
import type { PartResult } from './part.js';

/** Of timesteps. */
const BINS = 12;

export async function timestepsPart({ session, config, seed, terminal }: Examination): Promise<PartResult | string> {
  const losses = await withBar(terminal, 'losses along the noise', (update) =>
    lossByTimestep(session, {
      ...{ bins: BINS, examples: LOOKED_AT, seed, signal: terminal.signal },
      onProgress: ({ done, total }) => update(done, total),
    }),
  );
  const series = splitSeries(losses);
  if (series.length === 0) return 'the model denoises no images';
  const html = timestepSection(series, PREDICTED[config.diffusion.parameterisation]);
  return { scores: [], html, leftOut: [], details: losses };
}

/** Pictures that are described and drawn. */
const EXAMPLES = 2;
/** Of the page, for all maps: a map of T positions takes 4/3 T^2. */
const MOST_BYTES = 500_000;

export async function attentionPart(examination: Examination): Promise<PartResult | string> {
  const { session, config, undrawn, terminal } = examination;
  if (undrawn) return undrawn;
  const { heldOut, train } = session.examples;
  const pictures = spread(heldOut.length > 0 ? heldOut : train, EXAMPLES);
  const wanted = pictures.flatMap((picture) =>
    (['image-first', 'caption-first'] as const).map((order) => ({ picture, order })),
  );
  const { layers, heads } = chosenMaps(examination, pictures, wanted.length);
  const documents: AttentionDocument[] = [];
  for (const { picture, order } of wanted) {
    await nextTask();
    terminal.signal.throwIfAborted();
    const maps: AttentionMaps = await attentionMaps({
      ...{ backend: session.backend, document: documentOf(picture, order, examination), layers, heads },
      model: { config: session.pipeline, parameters: session.averaged, tokenizer: session.tokenizer },
      imageContext: config.data.imageContext,
    });
    const title = `${order === 'image-first' ? 'Describing' : 'Drawing'} “${picture.caption ?? ''}”`;
    documents.push({ title, maps, pictures: [imageOf(picture)] });
  }
  return { scores: [], html: attentionSection(documents), leftOut: [] };
}

function documentOf(picture: TrainingExample, order: CaptionOrder, { session, task }: Examination) {
  const { captionIds, grid, variants, width, height } = picture;
  const sizeToken = task.sizeTokens?.get(`${width}x${height}`);
  const role = order === 'image-first' ? ('context' as const) : ('target' as const);
  const image = { ...grid, latents: variants[0].mean, role, ...(sizeToken === undefined ? {} : { sizeToken }) };
  return captionDocument({ captionIds, image, order, special: session.tokenizer.special });
}

/** As many layers as the page has room for, the last one among them; where a layer is too much, fewer of its heads. */
function chosenMaps({ task }: Examination, pictures: readonly TrainingExample[], documents: number) {
  const { layers, heads, patchSize } = task.pipeline.model;
  const longest = Math.max(
    ...pictures.map(({ captionIds, grid }) => captionIds.length + (grid.width * grid.height) / patchSize ** 2 + 5),
  );
  const most = Math.max(1, Math.floor(MOST_BYTES / ((4 / 3) * longest ** 2 * documents)));
  const few = Math.max(1, Math.min(layers, Math.floor(most / heads)));
  const numbers = Array.from({ length: layers }, (_, i) => layers - 1 - i);
  return {
    layers: spread(numbers, few).reverse(),
    heads: spread(
      Array.from({ length: heads }, (_, i) => i),
      Math.min(heads, most),
    ),
  };
}
