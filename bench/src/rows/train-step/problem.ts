/** @file The training step's model, weights and batch, as plain arrays. */
import { isParameterSpec, type ParameterSpec } from '@transfusion/nn';
import { createObjective } from '@transfusion/schedulers';
import { flattenTree, sizeOf } from '@transfusion/tensor';
import { feedForwardWidth, type ModelConfig, modelConfigSchema, transfusionSpec } from '@transfusion/transformer';
import { normalArray, uniformNumbers } from '../random-array.js';

const HEAD_DIM = 64;

/** A model that reads this file's batches. */
export function modelOf({ channels, layers }: { channels: number; layers: number }): ModelConfig {
  return modelConfigSchema.parse({
    vocabularySize: 512,
    layers,
    channels,
    heads: channels / HEAD_DIM,
    patchSize: 2,
    patchValues: 32,
    maxPositions: 256,
  });
}

/** The model that engines are compared with. */
export const MODEL = modelOf({ channels: 256, layers: 6 });

/** A row is cut into a segment for each image: tokens that end with BOI, patches in its middle half, tokens from EOI on. */
export interface RowLayout {
  length: number;
  imagesPerRow: number;
}

/** What engines are compared with: twice 32 tokens, 64 patches, 32 tokens. */
export const LENGTH = 256;
export const IMAGES_PER_ROW = 2;
export const LAYOUT: RowLayout = { length: LENGTH, imagesPerRow: IMAGES_PER_ROW };
export const PATCHES = patchesPerImage(LAYOUT);

export function patchesPerImage({ length, imagesPerRow }: RowLayout): number {
  return length / imagesPerRow / 2;
}

/** Latent images are squares: [height, width, channels]. */
export function latentShape({ patchSize, patchValues }: ModelConfig, layout: RowLayout): [number, number, number] {
  const side = patchSize * Math.sqrt(patchesPerImage(layout));
  return [side, side, patchValues / patchSize ** 2];
}

export const LAMBDA = 5;
export const MAX_GRADIENT_NORM = 1;
export const OPTIMIZER = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 };
export const LEARNING_RATE = 3e-4;

/** A batch, in the form of our objective's inputs. B rows, T positions. */
export interface Batch {
  /** i32 [B, T]; -1 at patches. */
  tokens: Int32Array;
  /** i32 [B, T]; -1 at tokens. */
  patchIndex: Int32Array;
  positions: Int32Array;
  begin: Int32Array;
  end: Int32Array;
  /** i32 [B, T]; -1 where nothing is predicted. */
  targets: Int32Array;
  /** i32 [B * images, patches]: positions among B * T. */
  patchPositions: Int32Array;
  /** f32 [B * images, ...latentShape]: clean. */
  latents: Float32Array;
  /** f32 [B * images] */
  timesteps: Float32Array;
  /** f32 [B * images, 4]: those of the timesteps, for the noise as target. */
  noiseCoefficients: Float32Array;
  /** i32 [4]: the Philox seed and counter of the noise, the same at every step, so that engines can be compared. */
  noiseSeed: Int32Array;
}

export interface TrainStepProblem {
  model: ModelConfig;
  layout: RowLayout;
  rows: number;
  images: number;
  /** By path. */
  weights: Map<string, Float32Array>;
  batch: Batch;
}

export function trainStepProblem(reduced: boolean): TrainStepProblem {
  return trainStepProblemOf({ model: MODEL, layout: LAYOUT, rows: reduced ? 1 : 8 });
}

export type TrainStepShape = Pick<TrainStepProblem, 'model' | 'layout' | 'rows'>;

export function trainStepProblemOf(shape: TrainStepShape): TrainStepProblem {
  const images = shape.rows * shape.layout.imagesPerRow;
  return { ...shape, images, weights: initialWeights(shape.model), batch: makeBatch(shape) };
}

/** As the model starts, but for the prediction head, whose zeros would hide errors. */
function initialWeights(model: ModelConfig): Map<string, Float32Array> {
  const specs = flattenTree<ParameterSpec>(transfusionSpec(model), isParameterSpec);
  let seed = 10;
  return new Map(
    [...specs].map(([path, { shape, initialiser }]) => {
      const size = sizeOf(shape);
      if (initialiser.kind === 'constant') return [path, new Float32Array(size).fill(initialiser.value)];
      const std = initialiser.std || model.initializerStd;
      return [path, normalArray(size, { seed: seed++, std })];
    }),
  );
}

/** The first position after the image that holds this one, or -1 where there is a token. */
export function imageEnd(position: number, layout: RowLayout): number {
  const segment = layout.length / layout.imagesPerRow;
  const inSegment = position % segment;
  const start = (segment - patchesPerImage(layout)) / 2;
  const end = start + patchesPerImage(layout);
  return inSegment >= start && inSegment < end ? position - inSegment + end : -1;
}

function makeBatch({ model, layout, rows }: TrainStepShape): Batch {
  const { length, imagesPerRow } = layout;
  const segment = length / imagesPerRow;
  const perImage = patchesPerImage(layout);
  const images = rows * imagesPerRow;
  const boi = model.vocabularySize - 2;
  const eoi = model.vocabularySize - 1;
  const perPosition = (value: (index: number) => number) =>
    Int32Array.from({ length: rows * length }, (_, index) => value(index));
  // Which patch of all of the batch's is here, or -1 where there is a token.
  const patchIndex = perPosition((index) => {
    const position = index % length;
    const end = imageEnd(position, layout);
    return end < 0 ? -1 : Math.floor(index / segment) * perImage + position - (end - perImage);
  });
  const uniform = uniformNumbers(3);
  const tokens = perPosition((index) => {
    if (patchIndex[index] >= 0) return -1;
    if (patchIndex[index + 1] >= 0) return boi;
    if (patchIndex[index - 1] >= 0) return eoi;
    return Math.floor(uniform() * boi);
  });
  const patchPositions = new Int32Array(images * perImage);
  patchIndex.forEach((patch, index) => {
    if (patch >= 0) patchPositions[patch] = index;
  });
  const diffusion = createObjective();
  const { trainTimesteps } = diffusion.noiseSchedule.config;
  const timesteps = Float32Array.from({ length: images }, (_, image) => (image * 377 + 300) % trainTimesteps);
  return {
    tokens,
    patchIndex,
    positions: perPosition((index) => index % length),
    begin: perPosition(() => 0),
    end: perPosition((index) => Math.max(imageEnd(index % length, layout), (index % length) + 1)),
    targets: perPosition((index) => {
      const isLast = index % length === length - 1;
      return isLast || tokens[index] < 0 || tokens[index] === boi ? -1 : tokens[index + 1];
    }),
    patchPositions,
    latents: normalArray(images * sizeOf(latentShape(model, layout)), { seed: 4 }),
    timesteps,
    noiseCoefficients: Float32Array.from([...timesteps].flatMap((t) => [...diffusion.targetCoefficients(t)])),
    noiseSeed: Int32Array.of(5, 0, 0, 0),
  };
}

/**
 * Floating-point operations of a step: 2 per weight and position forward, twice that backward; attention 4 per channel
 * and visible key forward, twice that backward. Elementwise work is not counted.
 */
export function trainStepFlops({ model, layout, rows, batch }: TrainStepProblem): number {
  const { channels, layers, vocabularySize, patchValues } = model;
  const perPosition = layers * (4 * channels ** 2 + 3 * channels * feedForwardWidth(model)) + vocabularySize * channels;
  const perPatch = 2 * patchValues * channels;
  const visible = batch.end.reduce((sum, end) => sum + end, 0);
  const positions = rows * layout.length;
  return 6 * (perPosition * positions + (perPatch * positions) / 2) + 12 * layers * channels * visible;
}
