/** @file Batch number s of a run: a pure function of the configuration and s, so that resuming needs the step only. */
import {
  type CodeIds,
  type ControlTokens,
  captionDocument,
  type Document,
  documentOfTokens,
  drawTimesteps,
  epochWalk,
  exampleSampler,
  formatImageSize,
  type ImageSize,
  interleavedDocument,
  type PackedBatch,
  packDocuments,
  RandomPurpose,
  withoutTexts,
} from '@transfusion/data';
import { type Objective as DiffusionObjective, lossWeight, timestepQuantile } from '@transfusion/schedulers';
import { PhiloxStream } from '@transfusion/tensor';
import type { ModelConfig } from '@transfusion/transformer';
import { countTokenTargets } from '../chameleon/objective.js';
import { drawLatents } from '../latents/picture-latents.js';
import type { BatchArrays as AnyBatchArrays } from '../objective.js';
import type { TransfusionTrainingConfig } from './config.js';
import type { TrainingDocument, TrainingExample } from './examples.js';
import type { BatchShape, TransfusionInputs } from './objective.js';
import { type TextRow, textRowsAmong } from './text-rows.js';

/** Arrays for `batchInputs`. */
export type BatchArrays = AnyBatchArrays<TransfusionInputs>;

export interface BatchSource {
  /** The batches of optimizer step `step`, one per accumulation. */
  step(step: number): BatchArrays[];
  /**
   * Examples, captions first, or rows of plain text, in batches: as many as it takes. Noise and timesteps are fixed by the seed
   * and the example, wherever in a batch it lies. Their losses are sums, to be divided by `targets` and `images` of all. Timesteps
   * are uniform and every image weighs 1, whatever `objective` of the configuration is: it says how to train, and runs that
   * differ in it are compared by what comes out.
   */
  evaluation(given: EvaluationExamples): EvaluationBatch[];
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

export interface BatchSourceOptions {
  config: TransfusionTrainingConfig;
  model: Pick<ModelConfig, 'patchSize' | 'patchValues' | 'imageAttention' | 'imagePositions'>;
  shape: BatchShape;
  /** Where images are tokens: their ids. The latents of pictures are then their codes. */
  codes?: CodeIds;
  examples: readonly TrainingExample[];
  /** Documents that are trained on as they are; default: none. */
  documents?: readonly TrainingDocument[];
  /** Rows of plain text; default: none. */
  texts?: readonly TextRow[];
  special: ControlTokens;
  /** Of sizes that are announced, written as `64x32`: the token of each; default: none is announced. */
  sizeTokens?: ReadonlyMap<string, number>;
  objective: DiffusionObjective;
}

export function createBatchSource(options: BatchSourceOptions): BatchSource {
  const { config, shape, examples, documents = [], texts = [], objective } = options;
  const { accumulation, imagesPerRow } = config.batch;
  const withImages = examples.length + documents.length;
  const textShare = texts.length === 0 ? 0 : withImages === 0 ? 1 : config.data.textShare;
  const chooseDocuments = documentChooser(options);
  const textAt = epochWalk({ seed: config.seed, examples: texts.length });
  const { timesteps: distribution, ...weighting } = config.objective;
  const { trainTimesteps } = objective.noiseSchedule.config;
  const quantile = timestepQuantile(distribution, trainTimesteps);
  return {
    step(step) {
      const draws = Array.from({ length: accumulation }, (_, i) => step * accumulation + i);
      const packed = draws.map((draw) => {
        const firstRow = draw * shape.rows;
        const firstText = textRowsAmong(firstRow, textShare);
        const textCount = textRowsAmong(firstRow + shape.rows, textShare) - firstText;
        const textDocuments = Array.from({ length: textCount }, (_, i) =>
          documentsOf(texts[textAt(firstText + i)]),
        ).flat();
        const from = (firstRow - firstText) * imagesPerRow;
        const chosen = chooseDocuments(draw, { from, count: (shape.rows - textCount) * imagesPerRow });
        // Texts first: then each finds room in the row that was filled for it, at the latest.
        return pack([...textDocuments, ...chosen], options);
      });
      const totals = packed
        .map((batch) => countTargets(batch, options))
        .reduce((sum, { targets, images }) => ({
          targets: sum.targets + targets,
          images: sum.images + images,
        }));
      return packed.map((batch, i) => trainingArrays(batch, draws[i], totals));
    },
    evaluation: (given) => evaluationBatches(given, options),
  };

  function trainingArrays(packed: PackedBatch, draw: number, totals: Totals): BatchArrays {
    const timesteps = drawTimesteps({
      ...{ seed: config.seed, step: draw, groups: packed.groups, images: packed.images },
      ...{ timesteps: trainTimesteps, quantile },
    });
    const noiseSeed = Int32Array.of(config.seed % 2 ** 32, Math.floor(config.seed / 2 ** 32), draw, 0);
    const weightOf = (timestep: number) => lossWeight({ objective, weighting, timestep });
    return toArrays(packed, { timesteps, totals, objective, noiseSeed, weightOf, codes: options.codes });
  }
}

/** The documents with images of a draw, `count` of them from position `from` of the walk through all epochs. */
function documentChooser({
  config,
  shape,
  examples,
  documents = [],
  texts = [],
  special,
  sizeTokens,
  objective,
}: BatchSourceOptions) {
  const count = examples.length + documents.length;
  if (count === 0 && texts.length > 0) return (): Document[] => [];
  const { imageFirstProbability, captionDropout, imageFirstCap } = config.data;
  const documentDropout = config.data.documentDropout ?? captionDropout;
  const choose = exampleSampler({
    ...{ seed: config.seed, examples: count, imageFirstProbability, captionDropout, documentDropout },
    examplesPerStep: shape.rows * config.batch.imagesPerRow,
  });
  const cap = Math.min(imageFirstCap, objective.noiseSchedule.config.trainTimesteps);
  return (draw: number, positions: { from: number; count: number }): Document[] => {
    const stream = new PhiloxStream(config.seed, RandomPurpose.latents, draw);
    return choose(draw, positions).map(({ example: index, order, dropCaption, dropTexts }) => {
      if (index >= examples.length) {
        const document = documents[index - examples.length];
        const parts = dropTexts ? withoutTexts(document.parts) : document.parts;
        return documentOf({ ...document, parts }, { special, sizeTokens }, (image) => drawLatents(image, stream));
      }
      const example = examples[index];
      // Without a caption there is none for the image to stand before: nothing caps its noise.
      const ownOrder = example.caption === undefined ? 'caption-first' : order;
      const image = { ...example.grid, latents: drawLatents(example, stream), ...announced(example, sizeTokens) };
      const { captionIds } = example;
      return captionDocument({ captionIds, image, order: ownOrder, dropCaption, special, imageFirstCap: cap });
    });
  };
}

function documentOf(
  { parts }: TrainingDocument,
  { special, sizeTokens }: Pick<BatchSourceOptions, 'special' | 'sizeTokens'>,
  latentsOf: (image: Extract<TrainingDocument['parts'][number], { kind: 'image' }>) => Float32Array,
): Document {
  return interleavedDocument(
    parts.map((part) => {
      if (part.kind === 'text') return part;
      const { grid, role, noiseCap } = part;
      return { kind: 'image', ...grid, latents: latentsOf(part), role, noiseCap, ...announced(part, sizeTokens) };
    }),
    special,
  );
}

/** The token of a picture's size, where sizes are announced. */
function announced(picture: ImageSize, sizeTokens: ReadonlyMap<string, number> | undefined): { sizeToken?: number } {
  return sizeTokens ? { sizeToken: sizeTokens.get(formatImageSize(picture)) } : {};
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
  return packDocuments(written, {
    boiPredicts: codes !== undefined,
    ...{ ...shape, patchSize, special, imageAttention, imagePositions, imageContext: config.data.imageContext },
    channels: patchValues / patchSize ** 2,
    imageDocumentsPerRow: config.batch.imagesPerRow,
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
    codes?: CodeIds;
    /** What an image's squared error weighs; default: 1. */
    weightOf?: (timestep: number) => number;
  },
): BatchArrays {
  const { timesteps, totals, objective, noiseSeed, noise, codes, weightOf = () => 1 } = options;
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
    targetCount: Float32Array.of(Math.max(1, totals.targets)),
    // Where images are tokens, the targets that are left are those of text.
    imageCount: Float32Array.of(codes ? totals.images : Math.max(1, totals.images)),
  };
}

/** Documents of examples, each with the number that its noise follows from. */
function evaluationBatches(
  { examples = [], documents = [], texts = [] }: EvaluationExamples,
  options: BatchSourceOptions,
): EvaluationBatch[] {
  const { config, shape, special, sizeTokens } = options;
  const withImages = [
    ...examples.map((example) => {
      const { captionIds, grid, variants } = example;
      const image = { ...grid, latents: variants[0].mean, ...announced(example, sizeTokens) };
      return captionDocument({ captionIds, image, order: 'caption-first', special });
    }),
    ...documents.map((document) => documentOf(document, options, ({ variants }) => variants[0].mean)),
  ];
  const perBatch = shape.rows * config.batch.imagesPerRow;
  const batches = chunks(withImages, perBatch).map((chunk, i) => evaluated(chunk, i * perBatch));
  return [...batches, ...chunks(texts, shape.rows).map((rows) => evaluated(rows.flatMap(documentsOf), 0))];

  function evaluated(chunk: readonly Document[], first: number): EvaluationBatch {
    const packed = pack(chunk, options);
    const { noise, timesteps } = evaluationNoise(packed, first, options);
    const arrays = toArrays(packed, {
      ...{ noise, timesteps, objective: options.objective, totals: { targets: 1, images: 1 }, codes: options.codes },
      noiseSeed: new Int32Array(4),
    });
    const { targets, images } = countTargets(packed, options);
    return { arrays, targets: options.codes ? targets - images : targets, images };
  }
}

/** Timesteps and noise of every group: of an image they depend on the seed, its document's number, and which of its images it is. */
function evaluationNoise({ groups, images }: PackedBatch, first: number, { config, objective }: BatchSourceOptions) {
  const { trainTimesteps } = objective.noiseSchedule.config;
  const noise = groups.map(({ latents }) => new Float32Array(latents.length));
  const timesteps = groups.map(({ slots }) => new Int32Array(slots));
  const numberIn = new Map<number, number>();
  for (const { document, group, slot, role, noiseCap = trainTimesteps } of images) {
    const number = numberIn.get(document) ?? 0;
    numberIn.set(document, number + 1);
    const stream = new PhiloxStream(config.seed, RandomPurpose.evaluation, first + document, number);
    const timestep = Math.floor(stream.uniform() * Math.min(noiseCap, trainTimesteps));
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
