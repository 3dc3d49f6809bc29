/** @file Batch number s of a run: a pure function of the configuration and s, so that resuming needs the step only. */
import {
  type CaptionOrder,
  captionDocument,
  type Document,
  drawTimesteps,
  epochWalk,
  exampleSampler,
  type PackedBatch,
  packDocuments,
  RandomPurpose,
} from '@transfusion/data';
import type { Objective } from '@transfusion/schedulers';
import { PhiloxStream } from '@transfusion/tensor';
import type { ControlTokens } from '@transfusion/tokenizer';
import { drawLatents, type ExampleLatents } from '../latents/example-latents.js';
import type { BatchArrays as AnyBatchArrays } from '../objective.js';
import { CONTROL_TOKENS } from './caption-lengths.js';
import type { TransfusionTrainingConfig } from './config.js';
import type { Example } from './examples.js';
import type { BatchShape, batchInputs } from './objective.js';
import { type TextRow, textRowsAmong } from './text-rows.js';

/** Arrays for `batchInputs`. */
export type BatchArrays = AnyBatchArrays<keyof ReturnType<typeof batchInputs>>;

/** Positions of a row of a run without pictures, where nothing is set. */
const TEXT_POSITIONS = 256;

/** The sizes of this run's batches: a row holds `imagesPerRow` of the longest documents of a picture (see `fitCaptions`). */
export function batchShape(
  config: TransfusionTrainingConfig,
  examples: readonly Example[],
  patchesPerImage: number,
): BatchShape {
  const { rows, imagesPerRow, sequenceLength } = config.batch;
  const longest = examples.reduce((most, { captionIds }) => Math.max(most, captionIds.length), 0);
  const needed =
    examples.length > 0 ? imagesPerRow * (longest + patchesPerImage + CONTROL_TOKENS) : config.model.maxPositions;
  return { rows, imagesPerRow, patchesPerImage, sequenceLength: sequenceLength ?? needed ?? TEXT_POSITIONS };
}

/** An example that batches can be made of. */
export type TrainingExample = Example & ExampleLatents;

export interface BatchSource {
  /** The batches of optimizer step `step`, one per accumulation. */
  step(step: number): BatchArrays[];
  /** Consecutive held-out (or any) examples, caption first, with timesteps fixed by the seed. */
  evaluation(examples: readonly TrainingExample[], index: number): BatchArrays;
  /** Consecutive rows of plain text. */
  textEvaluation(texts: readonly TextRow[], index: number): BatchArrays;
}

export interface BatchSourceOptions {
  config: TransfusionTrainingConfig;
  shape: BatchShape;
  examples: readonly TrainingExample[];
  /** Rows of plain text; default: none. */
  texts?: readonly TextRow[];
  /** Values of a patch. */
  patchValues: number;
  special: ControlTokens;
  objective: Objective;
}

export function createBatchSource(options: BatchSourceOptions): BatchSource {
  const { config, shape, examples, texts = [], objective } = options;
  const { accumulation } = config.batch;
  const textShare = texts.length === 0 ? 0 : examples.length === 0 ? 1 : config.data.textShare;
  const chooseImages = imageChooser(options);
  const textAt = epochWalk({ seed: config.seed, examples: texts.length });
  const build = (packed: PackedBatch, draw: number, totals: Totals) =>
    toArrays(packed, { options, draw, totals, objective });
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
        const from = (firstRow - firstText) * shape.imagesPerRow;
        const choices = chooseImages(draw, { from, count: (shape.rows - textCount) * shape.imagesPerRow });
        // Texts first: then each finds room in the row that was filled for it, at the latest.
        return pack([...textDocuments, ...choices.map(imageDocument)], options);
      });
      const totals = countTargets(packed);
      return packed.map((batch, i) => build(batch, draws[i], totals));
    },
    evaluation(all, index) {
      const perBatch = shape.rows * shape.imagesPerRow;
      const chosen = Array.from({ length: perBatch }, (_, i): Choice => {
        const { captionIds, variants } = all[(index * perBatch + i) % all.length];
        return { captionIds, image: variants[0].mean, order: 'caption-first', dropCaption: false };
      });
      return evaluated(chosen.map(imageDocument), index);
    },
    textEvaluation(all, index) {
      const rows = Array.from({ length: shape.rows }, (_, i) => all[(index * shape.rows + i) % all.length]);
      return evaluated(rows.flatMap(documentsOf), index);
    },
  };

  function imageDocument(choice: Choice): Document {
    return captionDocument({ ...choice, special: options.special });
  }

  function evaluated(documents: Document[], index: number): BatchArrays {
    const packed = pack(documents, options);
    return build(packed, 0x7fff_0000 + index, countTargets([packed]));
  }
}

/** The pictures of a draw, `count` of them from position `from` of the walk through all epochs. */
function imageChooser({ config, shape, examples, texts = [] }: BatchSourceOptions) {
  if (examples.length === 0 && texts.length > 0) return (): Choice[] => [];
  const choose = exampleSampler({
    seed: config.seed,
    examples: examples.length,
    examplesPerStep: shape.rows * shape.imagesPerRow,
    imageFirstProbability: config.data.imageFirstProbability,
    captionDropout: config.data.captionDropout,
  });
  return (draw: number, positions: { from: number; count: number }): Choice[] => {
    const stream = new PhiloxStream(config.seed, RandomPurpose.latents, draw);
    return choose(draw, positions).map(({ example: index, order, dropCaption }) => {
      const example = examples[index];
      // Without a caption there is none for the image to stand before: nothing caps its noise.
      const ownOrder = example.caption === undefined ? 'caption-first' : order;
      return { captionIds: example.captionIds, image: drawLatents(example, stream), order: ownOrder, dropCaption };
    });
  };
}

function documentsOf(row: TextRow): Document[] {
  return row.map((ids) => ({ parts: [{ kind: 'text', ids }] }));
}

interface Totals {
  targets: number;
  images: number;
}

interface Choice {
  captionIds: number[];
  /** Clean latents, patchified: [patches, patch values]. */
  image: Float32Array;
  order: CaptionOrder;
  dropCaption: boolean;
}

function pack(documents: Document[], { shape, patchValues, special }: BatchSourceOptions): PackedBatch {
  return packDocuments(documents, {
    rows: shape.rows,
    sequenceLength: shape.sequenceLength,
    patchesPerImage: shape.patchesPerImage,
    patchValues,
    maxImagesPerRow: shape.imagesPerRow,
    special,
  });
}

function countTargets(batches: PackedBatch[]): Totals {
  let targets = 0;
  let images = 0;
  for (const batch of batches) {
    for (const target of batch.targets) if (target >= 0) targets++;
    images += batch.images.length;
  }
  return { targets: Math.max(1, targets), images: Math.max(1, images) };
}

function toArrays(
  packed: PackedBatch,
  {
    options,
    draw,
    totals,
    objective,
  }: { options: BatchSourceOptions; draw: number; totals: Totals; objective: Objective },
): BatchArrays {
  const { config } = options;
  const timesteps = drawTimesteps({
    seed: config.seed,
    step: draw,
    rows: packed.rows,
    maxImagesPerRow: packed.maxImagesPerRow,
    images: packed.images,
    timesteps: objective.noiseSchedule.config.trainTimesteps,
    imageFirstCap: Math.min(config.data.imageFirstCap, objective.noiseSchedule.config.trainTimesteps),
  });
  const noiseCoefficients = new Float32Array(timesteps.length * 4);
  timesteps.forEach((timestep, image) => noiseCoefficients.set(objective.targetCoefficients(timestep), image * 4));
  const { tokens, patchIndex, positions, begin, end, targets, patchPositions, latents, imageMask } = packed;
  return {
    tokens,
    patchIndex,
    positions,
    begin,
    end,
    targets,
    patchPositions,
    latents,
    imageMask,
    timesteps: Float32Array.from(timesteps),
    noiseCoefficients,
    targetCount: Float32Array.of(totals.targets),
    imageCount: Float32Array.of(totals.images),
    noiseSeed: Int32Array.of(config.seed % 2 ** 32, Math.floor(config.seed / 2 ** 32), draw, 0),
  };
}
