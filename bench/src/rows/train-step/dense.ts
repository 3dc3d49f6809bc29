/**
 * @file The training step in the form that suits other engines best: dense masks, text and patches apart and put together
 * by concatenation, weights as [inputs, outputs]. The numbers it computes are the same.
 */
import { isParameterSpec, type ParameterSpec, timestepFrequencies } from '@transfusion/nn';
import { flattenTree, normals, sizeOf } from '@transfusion/tensor';
import { type ModelConfig, transfusionSpec } from '@transfusion/transformer';
import { imageEnd, latentShape, MODEL, type RowLayout, type TrainStepProblem } from './problem.js';

export const HEAD_DIM = headDimOf(MODEL);

export function headDimOf({ channels, heads }: ModelConfig): number {
  return channels / heads;
}

export interface DenseWeight {
  /** Path in our model's tree. */
  path: string;
  /** [inputs, outputs], [rows, channels] of the embedding, or [length]. */
  shape: number[];
  data: Float32Array;
  decays: boolean;
}

/** B rows, T positions. */
export interface DenseBatch {
  /** i32 [B, text positions]: the tokens, without the patches between them. */
  tokens: Int32Array;
  /** i32 [B, T]; 0 where nothing is predicted. */
  targets: Int32Array;
  /** f32 [B, T]: 1 / the number of targets, and 0 where nothing is predicted. */
  targetWeights: Float32Array;
  /** f32 [T, T]: 1 where a query sees a key. */
  visible: Float32Array;
  /** f32 [T, headDim / 2] */
  cos: Float32Array;
  sin: Float32Array;
  /** f32 [images, timestep dimensions]: sinusoids of the timesteps. */
  sinusoids: Float32Array;
  /** f32 [images, patches, values]: noised patches, and the noise to predict, which our step draws and adds itself. */
  patches: Float32Array;
  noise: Float32Array;
}

/** A run of positions in a row. */
export interface Section {
  kind: 'text' | 'image';
  /** Positions in the row. */
  begin: number;
  end: number;
  /** Positions among the row's tokens; the image's number in its row. */
  index: [number, number];
}

export function denseWeights(problem: TrainStepProblem): DenseWeight[] {
  const specs = flattenTree<ParameterSpec>(transfusionSpec(problem.model), isParameterSpec);
  const headDim = headDimOf(problem.model);
  return [...specs].map(([path, { shape, decays }]) => {
    const data = problem.weights.get(path)!;
    if (shape.length < 2 || path === 'tokenEmbedding') return { path, shape: [...shape], data, decays };
    const [outputs, inputs] = shape;
    const isRotated = /attention\.(query|key)$/.test(path);
    const source = (output: number) => (isRotated ? halvesOf(output, headDim) : output);
    const transposed = new Float32Array(data.length);
    for (let output = 0; output < outputs; output++) {
      const row = source(output) * inputs;
      for (let input = 0; input < inputs; input++) transposed[input * outputs + output] = data[row + input];
    }
    return { path, shape: [inputs, outputs], data: transposed, decays };
  });
}

/**
 * Our rotary pairs are neighbours (2i, 2i + 1). With the outputs of queries and keys in this order they are (i, i + half),
 * which slices can cut, and their products are the same.
 */
function halvesOf(output: number, headDim: number): number {
  const half = headDim / 2;
  const inHead = output % headDim;
  return output - inHead + (inHead < half ? 2 * inHead : 2 * (inHead - half) + 1);
}

export function denseBatch(problem: TrainStepProblem): DenseBatch {
  const { batch, model, layout } = problem;
  const headDim = headDimOf(model);
  const half = headDim / 2;
  const { length } = layout;
  const angles = Float64Array.from(
    { length: length * half },
    (_, i) => Math.floor(i / half) * model.ropeTheta ** ((-2 * (i % half)) / headDim),
  );
  const targetCount = batch.targets.filter((target) => target >= 0).length;
  const frequencies = timestepFrequencies(model.timestepDimensions);
  const sinusoids = [...batch.timesteps].flatMap((timestep) => [
    ...frequencies.map((frequency) => Math.cos(timestep * frequency)),
    ...frequencies.map((frequency) => Math.sin(timestep * frequency)),
  ]);
  return {
    tokens: batch.tokens.filter((token) => token >= 0),
    targets: batch.targets.map((target) => Math.max(target, 0)),
    targetWeights: Float32Array.from(batch.targets, (target) => (target < 0 ? 0 : 1 / targetCount)),
    visible: Float32Array.from({ length: length * length }, (_, i) =>
      i % length < batch.end[Math.floor(i / length)] ? 1 : 0,
    ),
    cos: Float32Array.from(angles, Math.cos),
    sin: Float32Array.from(angles, Math.sin),
    sinusoids: Float32Array.from(sinusoids),
    ...noisedPatches(problem),
  };
}

/** What our step computes of a batch's latents, for engines that have no Philox. */
function noisedPatches({ batch, model, layout }: TrainStepProblem): Pick<DenseBatch, 'patches' | 'noise'> {
  const { latents, noiseCoefficients, noiseSeed } = batch;
  const noise = normals({ seed: noiseSeed, stream: 0, elements: latents.length });
  const perImage = sizeOf(latentShape(model, layout));
  const noised = latents.map((latent, i) => {
    const image = Math.floor(i / perImage);
    return noiseCoefficients[4 * image] * latent + noiseCoefficients[4 * image + 1] * noise[i];
  });
  return { patches: inPatches(noised, model, layout), noise: inPatches(noise, model, layout) };
}

/** Images [images, height, width, channels] -> [images, patches, values], values in (y, x, channel) order. */
function inPatches(images: Float32Array, model: ModelConfig, layout: RowLayout): Float32Array {
  const { patchSize, patchValues } = model;
  const [, width, channels] = latentShape(model, layout);
  const patchesPerLine = width / patchSize;
  return Float32Array.from(images, (_, i) => {
    const patch = Math.floor(i / patchValues);
    const value = i % patchValues;
    // Lines of patches, and lines of pixels in the patch, counted through all images.
    const y = Math.floor(patch / patchesPerLine) * patchSize + Math.floor(value / (patchSize * channels));
    const x = (patch % patchesPerLine) * patchSize + (Math.floor(value / channels) % patchSize);
    return images[(y * width + x) * channels + (value % channels)];
  });
}

/** A row's sections, in order. */
export function sections(layout: RowLayout): Section[] {
  const { length } = layout;
  const isPatch = (position: number) => imageEnd(position, layout) >= 0;
  const result: Section[] = [];
  let tokens = 0;
  let images = 0;
  for (let begin = 0; begin < length; ) {
    const isImage = isPatch(begin);
    let end = begin + 1;
    while (end < length && isPatch(end) === isImage) end++;
    if (isImage) {
      result.push({ kind: 'image', begin, end, index: [images, images + 1] });
      images += 1;
    } else {
      result.push({ kind: 'text', begin, end, index: [tokens, tokens + end - begin] });
      tokens += end - begin;
    }
    begin = end;
  }
  return result;
}
