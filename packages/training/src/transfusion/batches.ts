/** @file Batch number s of a run: a pure function of the configuration and s, so that resuming needs the step only. */
import { TransfusionError } from '@transfusion/core';
import {
  type CodeIds,
  captionDocument,
  type Document,
  documentLength,
  documentOfTokens,
  drawTimesteps,
  epochWalk,
  type PackedBatch,
  packDocuments,
  RandomPurpose,
} from '@transfusion/data';
import { type Objective as DiffusionObjective, lossWeight, timestepQuantile } from '@transfusion/schedulers';
import { PhiloxStream } from '@transfusion/tensor';
import type { ModelConfig } from '@transfusion/transformer';
import { countTokenTargets } from '../chameleon/objective.js';
import type { BatchArrays as AnyBatchArrays } from '../objective.js';
import type { MicroBatches } from '../ranks/rank-group.js';
import { batchRows, type RowStarts, rowLayout, rowShares } from './batch-rows.js';
import { type DocumentSize, documentSize, exampleSize } from './batch-shape.js';
import {
  announced,
  type DocumentSource,
  documentChooser,
  documentOf,
  type StreamedLatents,
} from './choose-documents.js';
import type { TrainingDocument, TrainingExample } from './examples.js';
import { LazyList } from './lazy-list.js';
import type { BatchShape, TransfusionInputs } from './objective.js';
import { rowWalk } from './row-walk.js';
import type { TextRow } from './text-rows.js';

/** Arrays for `batchInputs`. */
export type BatchArrays = AnyBatchArrays<TransfusionInputs>;

export interface BatchSource {
  /**
   * The batches of optimizer step `step`, one per accumulation; or some of them. Targets and images are counted over those that
   * are given.
   */
  step(step: number, part?: MicroBatches): BatchArrays[];
  /** The same; where pictures are streamed, once they are read. `step` throws then. */
  read(step: number, part?: MicroBatches): BatchArrays[] | Promise<BatchArrays[]>;
  /**
   * Examples, captions first, or rows of plain text, in batches: as many as it takes. Noise and timesteps are fixed by the seed
   * and the example, wherever in a batch it lies. Their losses are sums, to be divided by `targets` and `images` of all. Timesteps
   * are uniform, unless one is given, and every image weighs 1, whatever `objective` of the configuration is: it says how to
   * train, and runs that differ in it are compared by what comes out.
   */
  evaluation(given: EvaluationExamples, noise?: EvaluationNoise): LazyList<EvaluationBatch>;
}

export interface EvaluationNoise {
  /**
   * The one timestep of all images to denoise. An image whose noise is capped at or below it has the most that it may have, and
   * does not count. Default: uniform.
   */
  timestep?: number;
  /** Of the noise; default: the run's. */
  seed?: number;
}

export interface EvaluationExamples {
  examples?: readonly TrainingExample[];
  documents?: readonly TrainingDocument[];
  texts?: readonly TextRow[];
}

export interface EvaluationBatch {
  /** For `batchInputs` with noise given. */
  arrays: BatchArrays;
  /** Of text. */
  targets: number;
  /** Where images are tokens, their targets. */
  images: number;
}

export interface BatchSourceOptions extends DocumentSource {
  model: Pick<ModelConfig, 'patchSize' | 'patchValues' | 'imageAttention' | 'imagePositions'>;
  shape: BatchShape;
  /** Where the examples are of a stream. */
  streamed?: StreamedPictures;
  /** Where images are tokens: their ids. The latents of pictures are then their codes. */
  codes?: CodeIds;
}

/** Pictures that are read when their batch comes. */
export interface StreamedPictures {
  /** Latents of examples, by their numbers. */
  latentsOf(examples: readonly number[]): Promise<StreamedLatents>;
  /** Told what comes: examples of later steps, in their order, and how far the walk is. */
  ahead(examples: readonly number[], position: number): void;
}

/** Steps whose pictures are read before they are asked for. */
const STEPS_AHEAD = 3;

export function createBatchSource(options: BatchSourceOptions): BatchSource {
  const { config, shape, examples, documents = [], texts = [], objective } = options;
  const { accumulation } = config.batch;
  const counts = { examples: examples.length, documents: documents.length, texts: texts.length };
  const spread = { rows: shape.rows, shares: rowShares(config.data, counts), startOf: rowStarts(options) };
  const { streamed } = options;
  const chooser = documentChooser(options);
  const textAt = epochWalk({ seed: config.seed, examples: texts.length });
  const { timesteps: distribution, ...weighting } = config.objective;
  const { trainTimesteps } = objective.noiseSchedule.config;
  const quantile = timestepQuantile(distribution, trainTimesteps);
  const choicesOf = (step: number, { first, count }: MicroBatches = { first: 0, count: accumulation }) =>
    Array.from({ length: count }, (_, i) => {
      const draw = step * accumulation + first + i;
      const rows = batchRows(draw, spread);
      return { draw, rows, choices: chooser.choose(draw, rows) };
    });
  const examplesOf = (chosen: ReturnType<typeof choicesOf>) =>
    chosen.flatMap(({ choices }) => choices.flatMap(({ example }) => (example < examples.length ? [example] : [])));
  return {
    step(step, part) {
      if (streamed) throw isStreamed();
      return arraysOf(choicesOf(step, part));
    },
    read(step, part) {
      const chosen = choicesOf(step, part);
      if (!streamed) return arraysOf(chosen);
      const latents = streamed.latentsOf(examplesOf(chosen));
      const next = Array.from({ length: STEPS_AHEAD }, (_, i) => examplesOf(choicesOf(step + 1 + i, part)));
      streamed.ahead(next.flat(), chosen[0]?.rows.pictures.from ?? 0);
      return latents.then((read) => arraysOf(chosen, read));
    },
    evaluation: (given, noise) => evaluationBatches(given, options, noise),
  };

  function arraysOf(chosen: ReturnType<typeof choicesOf>, latents?: StreamedLatents): BatchArrays[] {
    const packed = chosen.map(({ draw, rows, choices }) => {
      const textDocuments = Array.from({ length: rows.texts.count }, (_, i) =>
        documentsOf(texts[textAt(rows.texts.from + i)]),
      ).flat();
      // Texts first: then each finds room in the row that was filled for it, at the latest.
      return pack([...textDocuments, ...chooser.documents(draw, choices, latents)], options);
    });
    const totals = packed
      .map((batch) => countTargets(batch, options))
      .reduce((sum, { targets, images }) => ({
        targets: sum.targets + targets,
        images: sum.images + images,
      }));
    return packed.map((batch, i) => trainingArrays(batch, chosen[i].draw, totals));
  }

  function trainingArrays(packed: PackedBatch, draw: number, totals: Totals): BatchArrays {
    const timesteps = drawTimesteps({
      ...{ seed: config.seed, step: draw, groups: packed.groups, images: packed.images },
      ...{ timesteps: trainTimesteps, quantile },
    });
    const noiseSeed = Int32Array.of(config.seed % 2 ** 32, Math.floor(config.seed / 2 ** 32), draw, 0);
    const weightOf = (timestep: number) => lossWeight({ objective, weighting, timestep });
    return toArrays(packed, { timesteps, totals, objective, noiseSeed, weightOf });
  }
}

function isStreamed(): TransfusionError {
  return new TransfusionError({
    code: 'DATA_STREAMED',
    message: 'the pictures of this run are read when their batch comes, and a batch was asked for at once',
    fix: 'wait for it: await source.read(step)',
  });
}

/** Where the rows of each kind begin: after so many documents each, or where the row before is full. */
function rowStarts(options: BatchSourceOptions): RowStarts {
  const { config, shape, model, sizeTokens, examples, documents = [], exampleAt } = options;
  const { seed, data } = config;
  const { perRow } = rowLayout(config);
  const layout = { patchSize: model.patchSize, announced: sizeTokens !== undefined, context: data.imageContext };
  const filled = (sizes: readonly DocumentSize[], purpose?: number) => {
    const lengths = sizes.map(({ length }) => length);
    const own = purpose === undefined ? exampleAt : undefined;
    const at = own ?? epochWalk({ seed, examples: lengths.length, purpose });
    return lengths.length === 0 ? () => 0 : rowWalk({ lengths, at, sequenceLength: shape.sequenceLength });
  };
  const counted = (each: number) => (row: number) => row * each;
  const sizes = {
    pictures: () => examples.map((example) => exampleSize(example, example.grid, layout)),
    documents: () =>
      documents.map(({ parts, ...document }) => {
        const latent = parts.map((part) => (part.kind === 'text' ? part : { ...part, ...part.grid }));
        return documentSize({ ...document, parts: latent }, (grid) => grid, layout);
      }),
  };
  const isTogether = data.documentShare === null;
  return {
    pictures:
      perRow.pictures === null
        ? filled(isTogether ? [...sizes.pictures(), ...sizes.documents()] : sizes.pictures())
        : counted(perRow.pictures),
    documents:
      perRow.documents === null ? filled(sizes.documents(), RandomPurpose.documentOrder) : counted(perRow.documents),
  };
}

function documentsOf(row: TextRow): Document[] {
  return row.map((ids) => ({ parts: [{ kind: 'text', ids }] }));
}

function pack(
  documents: readonly Document[],
  { shape, model, config, special, codes }: BatchSourceOptions,
): PackedBatch {
  const { patchSize, patchValues, imageAttention, imagePositions } = model;
  const written = codes ? documents.map((document) => documentOfTokens(document, { codes, special })) : documents;
  const packed = packDocuments(written, {
    boiPredicts: codes !== undefined,
    ...{ ...shape, patchSize, special, imageAttention, imagePositions, imageContext: config.data.imageContext },
    channels: patchValues / patchSize ** 2,
    imageDocumentsPerRow: Math.max(
      ...Object.values(rowLayout(config).perRow).map((most) => most ?? shape.sequenceLength),
    ),
  });
  if (packed.unplaced.length === 0) return packed;
  throw new TransfusionError({
    code: 'DATA_NO_ROOM',
    message: `${packed.unplaced.length} of ${documents.length} documents find no room in ${shape.rows} rows of ${shape.sequenceLength} positions`,
    fix: 'take the shape that `batchShape` gives for these documents',
  });
}

interface Totals {
  /** Of text and, where images are tokens, of images. */
  targets: number;
  /** Where images are tokens, targets of images. */
  images: number;
}

function countTargets(
  { targets, images }: PackedBatch,
  { codes, special }: Pick<BatchSourceOptions, 'codes' | 'special'>,
): Totals {
  if (codes) {
    const { all, images } = countTokenTargets(targets, { ...codes, ...special });
    return { targets: all, images };
  }
  return {
    targets: targets.reduce((sum, target) => sum + (target >= 0 ? 1 : 0), 0),
    images: images.filter(({ role }) => role === 'target').length,
  };
}

function toArrays(
  packed: PackedBatch,
  options: {
    /** Of every group. */
    timesteps: readonly Int32Array[];
    totals: Totals;
    objective: DiffusionObjective;
    noiseSeed: Int32Array;
    /** Of every group; where it is not drawn in the graph. */
    noise?: readonly Float32Array[];
    /** What an image's squared error weighs; default: 1. */
    weightOf?: (timestep: number) => number;
  },
): BatchArrays {
  const { timesteps, totals, objective, noiseSeed, noise, weightOf = () => 1 } = options;
  const noiseCoefficients = timesteps.map((group) =>
    Float32Array.from([...group].flatMap((timestep) => [...objective.targetCoefficients(timestep)])),
  );
  // What is only looked at is clean.
  for (const { role, group, slot } of packed.images) {
    if (role === 'context') noiseCoefficients[group].set([1, 0, 0, 0], slot * 4);
  }
  const { tokens, positions, columns, begin, end, targets } = packed;
  return {
    ...{ tokens, positions, ...(columns ? { columns } : {}), begin, end, targets, noiseSeed },
    groups: packed.groups.map(({ latents, patchIndex, patchPositions, mask }, group) => ({
      ...{ latents, patchIndex, patchPositions, noiseCoefficients: noiseCoefficients[group] },
      mask: mask.map((used, slot) => used && used * weightOf(timesteps[group][slot])),
      timesteps: Float32Array.from(timesteps[group]),
      ...(noise ? { noise: noise[group] } : {}),
    })),
    targetCount: Float32Array.of(totals.targets),
    imageCount: Float32Array.of(totals.images),
  };
}

/** Documents of examples, each with the number that its noise follows from. */
function evaluationBatches(
  { examples = [], documents = [], texts = [] }: EvaluationExamples,
  options: BatchSourceOptions,
  given: EvaluationNoise = {},
): LazyList<EvaluationBatch> {
  const { config, shape, special, sizeTokens } = options;
  const ofExamples = examples.map((example) => {
    const { captionIds, grid, variants } = example;
    const image = { ...grid, latents: variants[0].mean, ...announced(example, sizeTokens) };
    return captionDocument({ captionIds, image, order: 'caption-first', special });
  });
  const ofDocuments = documents.map((document) => documentOf(document, options, ({ variants }) => variants[0].mean));
  const { perRow, rows } = rowLayout({ ...config, batch: { ...config.batch, rows: shape.rows } });
  const batches =
    config.data.documentShare === null
      ? inBatches('pictures', [...ofExamples, ...ofDocuments], 0)
      : [...inBatches('pictures', ofExamples, 0), ...inBatches('documents', ofDocuments, ofExamples.length)];
  const plain = chunks(texts, shape.rows).map((rows) => () => evaluated(rows.flatMap(documentsOf), 0));
  return new LazyList([...batches, ...plain]);

  function inBatches(
    kind: 'pictures' | 'documents',
    withImages: readonly Document[],
    first: number,
  ): (() => EvaluationBatch)[] {
    const perBatch = rows[kind] * (perRow[kind] ?? Math.floor(shape.sequenceLength / longestOf(withImages)));
    return chunks(withImages, perBatch).map((chunk, i) => () => evaluated(chunk, first + i * perBatch));
  }

  function longestOf(withImages: readonly Document[]): number {
    const lengths = withImages.map((each) => documentLength(each, options.model.patchSize, config.data.imageContext));
    return lengths.reduce((most, length) => Math.max(most, length), 1);
  }

  function evaluated(chunk: readonly Document[], first: number): EvaluationBatch {
    const packed = pack(chunk, options);
    const capped = packed.images.filter(({ noiseCap, role }) => {
      return role === 'target' && noiseCap !== undefined && given.timestep !== undefined && given.timestep >= noiseCap;
    });
    for (const { group, slot } of capped) packed.groups[group].mask[slot] = 0;
    const { noise, timesteps } = evaluationNoise(packed, first, options, given);
    const arrays = toArrays(packed, {
      ...{ noise, timesteps, objective: options.objective, totals: { targets: 1, images: 1 } },
      noiseSeed: new Int32Array(4),
    });
    const { targets, images } = countTargets(packed, options);
    return { arrays, targets: options.codes ? targets - images : targets, images: images - capped.length };
  }
}

/** Timesteps and noise of every group: of an image they depend on the seed, its document's number, and which of its images it is. */
function evaluationNoise(
  { groups, images }: PackedBatch,
  first: number,
  { config, objective }: BatchSourceOptions,
  given: EvaluationNoise,
) {
  const { trainTimesteps } = objective.noiseSchedule.config;
  const noise = groups.map(({ latents }) => new Float32Array(latents.length));
  const timesteps = groups.map(({ slots }) => new Int32Array(slots));
  const numberIn = new Map<number, number>();
  for (const { document, group, slot, role, noiseCap = trainTimesteps } of images) {
    const number = numberIn.get(document) ?? 0;
    numberIn.set(document, number + 1);
    const stream = new PhiloxStream(given.seed ?? config.seed, RandomPurpose.evaluation, first + document, number);
    const most = Math.min(noiseCap, trainTimesteps);
    const drawn = Math.floor(stream.uniform() * most);
    const timestep = given.timestep === undefined ? drawn : Math.min(given.timestep, most - 1);
    const { latents, slots } = groups[group];
    const values = latents.length / slots;
    if (role === 'target') timesteps[group][slot] = timestep;
    for (let i = 0; i < values; i++) noise[group][slot * values + i] = stream.normal();
  }
  return { noise, timesteps };
}

function chunks<One>(list: readonly One[], size: number): One[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
}
