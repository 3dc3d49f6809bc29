/** @file Many captions at once, one for each image. */
import { TransfusionError } from '@transfusion/core';
import { describingPrefix, describingPrefixLength, formatImageSize, type RgbImage } from '@transfusion/data';
import { diffusesImages } from '@transfusion/transformer';
import { z } from 'zod';
import { BeamRows, BeamSearch } from './beam-search.js';
import { explainImage } from './explain-image.js';
import type { ImageFormat } from './image-formats.js';
import { parseOptions } from './parse-options.js';
import { allowedLogits, checkContext, checkHasImages, chunks, encodeImages, type Pipeline } from './pipeline.js';

export interface CaptionImagesOptions {
  /** Of sizes that the model was trained on; those of one size make batches. */
  images: readonly RgbImage[];
  /** Most tokens of a caption; default 64. */
  maxTokens?: number;
  /** Least; default 1: where captions were dropped in training, for guidance, none at all is often the most likely one. */
  minTokens?: number;
  /** How many beginnings of each caption are gone on with; default 1: the most likely token each time. */
  beams?: number;
  /**
   * Of models that diffuse images: how often the image is noised and denoised after each of the captions that a search has found, `beams` of
   * them, so that the one which explains it best is taken (2 or more `beams`); default 0: the likeliest text is.
   */
  draws?: number;
  /** With `draws`: what the image has to say beside the text: nats for one unit of the mean squared error; default 40. */
  explanationWeight?: number;
  /** Most sequences in one batch, `beams` of each image; default 16. */
  maxBatch?: number;
  signal?: AbortSignal;
  /** Called after every batch. */
  onProgress?: (progress: { captioned: number; images: number }) => void;
}

const optionsSchema = z.strictObject({
  maxTokens: z.int().min(1).default(64),
  minTokens: z.int().min(0).default(1),
  beams: z.int().min(1).max(64).default(1),
  draws: z.int().min(0).max(1024).default(0),
  explanationWeight: z.number().min(0).default(40),
  maxBatch: z.int().min(1).default(16),
});

/** See `Sampler.captionImages`. */
export async function captionImages(pipeline: Pipeline, given: CaptionImagesOptions): Promise<string[]> {
  const { images, signal, onProgress, ...rest } = given;
  const options = parseOptions('captionImages', optionsSchema, rest);
  checkHasImages(pipeline);
  if (options.draws > 0) checkDraws(pipeline, options.beams);
  const encoded = await encodeImages(pipeline, images);
  const formats = new Set(encoded.map(({ format }) => format));
  for (const format of formats) {
    // And a first token; all but that and BOS is the image's.
    const positions = contextLength(format) + 1;
    const taken = { positions, ofImages: positions - 1 };
    checkContext(pipeline, `an image of ${formatImageSize(format)} and its caption`, taken);
  }
  const captions: string[] = [];
  let captioned = 0;
  for (const format of formats) {
    const indices = encoded.flatMap((image, i) => (image.format === format ? [i] : []));
    const batches = chunks(indices.length, Math.max(1, Math.floor(options.maxBatch / options.beams)));
    for (const { begin, end } of batches) {
      const own = indices.slice(begin, end);
      const latents = own.map((i) => encoded[i].latents);
      const written = await captionBatch(pipeline, latents, { ...options, format, size: batches[0].end, signal });
      own.forEach((index, i) => {
        captions[index] = written[i];
      });
      captioned += own.length;
      onProgress?.({ captioned, images: encoded.length });
    }
  }
  return captions;
}

/** @throws TransfusionError SAMPLER_DRAWS */
function checkDraws({ config }: Pick<Pipeline, 'config'>, beams: number): void {
  const refused = (why: string, fix: string) =>
    new TransfusionError({ code: 'SAMPLER_DRAWS', message: `captionImages: draws is ${why}`, fix });
  if (!diffusesImages(config.model)) {
    const why = 'for models that diffuse images, and those of this model are tokens';
    throw refused(why, 'leave draws out, or set it to 0');
  }
  if (beams === 1)
    throw refused('a choice among several captions, and beams is 1', 'set beams to 8 or more, or draws to 0');
}

/** Positions of an image and of what stands around it. */
function contextLength({ patches, sizeToken }: ImageFormat): number {
  return describingPrefixLength(patches, sizeToken !== undefined);
}

async function captionBatch(
  pipeline: Pipeline,
  latents: Float32Array[],
  options: {
    format: ImageFormat;
    size: number;
    maxTokens: number;
    minTokens: number;
    beams: number;
    draws: number;
    explanationWeight: number;
    signal?: AbortSignal;
  },
): Promise<string[]> {
  const { format, size, minTokens, beams, draws, explanationWeight: weight, signal } = options;
  const { special } = pipeline.tokenizer;
  const { before, after } = describingPrefix(special, format.sizeToken);
  const context = contextLength(format);
  const capacity = Math.min(pipeline.config.model.maxPositions, context + options.maxTokens);
  const given = { beams, minTokens, kept: draws > 0 ? beams : 1 };
  const searches = latents.map((image, i) => ({
    search: new BeamSearch({ ...given, maxTokens: capacity - context, eos: special.eos }),
    rows: new BeamRows(i * beams, beams),
    image,
  }));
  const batch = pipeline.pool.take({ rows: size * beams, capacity });
  try {
    signal?.throwIfAborted();
    const begin = <T>(content: (image: Float32Array) => T) =>
      new Map(searches.flatMap(({ rows, image }) => rows.all.map((row) => [row, content(image)] as const)));
    await batch.appendTokens(begin(() => before));
    await batch.appendImages(
      begin((image) => image),
      format.latent,
    );
    let next: Map<number, readonly number[]> = begin(() => after);
    while (next.size > 0) {
      signal?.throwIfAborted();
      const logits = await batch.appendTokens(next);
      next = new Map();
      for (const { search, rows } of searches) {
        if (search.live.length === 0) continue;
        search.step(rows.ofBeams.map((row) => allowedLogits(pipeline, logits.get(row)!, [])));
        for (const { row, kept, ids } of rows.move(search.live)) {
          batch.truncate(row, context + kept);
          next.set(row, ids);
        }
      }
    }
  } finally {
    pipeline.pool.give(batch);
  }
  const captions: string[] = [];
  for (const { search, image } of searches) {
    const { ended } = search;
    const chosen =
      draws > 0 && ended.length > 1
        ? await explainImage(pipeline, { captions: ended, image: { latents: image, format }, draws, weight, signal })
        : ended[0];
    captions.push(pipeline.tokenizer.decode([...chosen.ids]));
  }
  return captions;
}
