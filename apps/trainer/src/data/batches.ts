/** @file Batch number s of a run: a pure function of the configuration and s, so that resuming needs the step only. */
import {
  type CaptionOrder,
  captionDocument,
  drawTimesteps,
  exampleSampler,
  type PackedBatch,
  packDocuments,
  RandomPurpose,
} from '@transfusion/data';
import type { Objective } from '@transfusion/schedulers';
import { PhiloxStream, TransfusionError } from '@transfusion/tensor';
import type { ControlTokens } from '@transfusion/tokenizer';
import type { RunConfig } from '../config/run-config.js';
import { drawLatents, type ExampleLatents } from '../latents/example-latents.js';
import type { BatchShape, batchInputs } from '../train/train-step.js';
import type { Example } from './examples.js';

/** Arrays for `batchInputs`. */
export type BatchArrays = Record<keyof ReturnType<typeof batchInputs>, Float32Array | Int32Array>;

/** BOS, BOI, EOI and EOS. */
const CONTROL_TOKENS = 4;

/**
 * The sizes of this run's batches: a row holds `imagesPerRow` of the longest documents.
 * @throws TransfusionError CONFIG_SEQUENCE_LENGTH, CONFIG_MAX_POSITIONS: the longest document does not fit
 */
export function batchShape(config: RunConfig, examples: readonly Example[], patchesPerImage: number): BatchShape {
  const { rows, imagesPerRow, sequenceLength } = config.batch;
  const longestCaption = examples.reduce((most, { captionIds }) => Math.max(most, captionIds.length), 0);
  const longest = longestCaption + patchesPerImage + CONTROL_TOKENS;
  if (sequenceLength !== null && sequenceLength < longest) {
    throw tooShort('CONFIG_SEQUENCE_LENGTH', 'batch.sequenceLength', sequenceLength, longest);
  }
  const { maxPositions } = config.model;
  // Positions outside the rotary table would silently not be rotated.
  if (maxPositions !== undefined && maxPositions < longest) {
    throw tooShort('CONFIG_MAX_POSITIONS', 'model.maxPositions', maxPositions, longest);
  }
  return { rows, imagesPerRow, patchesPerImage, sequenceLength: sequenceLength ?? imagesPerRow * longest };
}

function tooShort(code: string, field: string, value: number, longest: number): TransfusionError {
  return new TransfusionError({
    code,
    message: `${field} is ${value}, the longest document takes ${longest} positions`,
    fix: `raise it to at least ${longest}, or leave it out; larger patches make shorter documents`,
  });
}

/** An example that batches can be made of. */
export type TrainingExample = Example & ExampleLatents;

export interface BatchSource {
  /** The batches of optimizer step `step`, one per accumulation. */
  step(step: number): BatchArrays[];
  /** Consecutive held-out (or any) examples, caption first, with timesteps fixed by the seed. */
  evaluation(examples: readonly TrainingExample[], index: number): BatchArrays;
}

export interface BatchSourceOptions {
  config: RunConfig;
  shape: BatchShape;
  examples: readonly TrainingExample[];
  special: ControlTokens;
  objective: Objective;
}

export function createBatchSource(options: BatchSourceOptions): BatchSource {
  const { config, shape, examples, objective } = options;
  const { accumulation } = config.batch;
  const choose = exampleSampler({
    seed: config.seed,
    examples: examples.length,
    examplesPerStep: shape.rows * shape.imagesPerRow,
    imageFirstProbability: config.data.imageFirstProbability,
    captionDropout: config.data.captionDropout,
  });
  const build = (packed: PackedBatch, draw: number, totals: Totals) =>
    toArrays(packed, { options, draw, totals, objective });
  return {
    step(step) {
      const draws = Array.from({ length: accumulation }, (_, i) => step * accumulation + i);
      const packed = draws.map((draw) => {
        const stream = new PhiloxStream(config.seed, RandomPurpose.latents, draw);
        const chosen = choose(draw).map(({ example: index, ...choice }): Choice => {
          const example = examples[index];
          return { ...choice, captionIds: example.captionIds, image: drawLatents(example, stream) };
        });
        return pack(chosen, options);
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
      const packed = pack(chosen, options);
      return build(packed, 0x7fff_0000 + index, countTargets([packed]));
    },
  };
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

function pack(chosen: Choice[], { shape, special }: BatchSourceOptions): PackedBatch {
  const documents = chosen.map((choice) => captionDocument({ ...choice, special }));
  return packDocuments(documents, {
    rows: shape.rows,
    sequenceLength: shape.sequenceLength,
    patchesPerImage: shape.patchesPerImage,
    patchValues: chosen[0].image.length / shape.patchesPerImage,
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
