/** @file The autoencoder's training step as plain arrays: configuration, weights, images and the noise of the latents. */
import { isParameterSpec, type ParameterSpec } from '@transfusion/nn';
import { flattenTree, normals, sizeOf } from '@transfusion/tensor';
import { downsamplingFactor, type KlConfig, klPresets, klSpec } from '@transfusion/vae';
import { normalArray } from '../random-array.js';

export const PRESET = 'emoji-64';
export const CONFIG = klPresets[PRESET];
export const SIZE = 64;
export const BATCH = 16;
export const REDUCED_BATCH = 2;

/** Of the posterior's divergence, summed over an image's latents; L1 has weight 1. */
export const KL_WEIGHT = 1e-6;
/** Adam: nothing decays. */
export const OPTIMIZER = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 };
export const LEARNING_RATE = 1e-3;
/** Of every group norm, as diffusers has it. */
export const NORM_EPSILON = 1e-6;

/** Gains, biases and zeros start this far from their initial value: what is 0 or 1 would hide errors. */
const DISTURBANCE = 0.1;

export interface AutoencoderProblem {
  config: KlConfig;
  batch: number;
  /** By path; filters [height, width, inputs, outputs], linear layers [outputs, inputs]. */
  weights: Map<string, { shape: readonly number[]; data: Float32Array }>;
  /** f32 [batch, SIZE, SIZE, 3] */
  images: Float32Array;
  /** i32 [4]: the Philox seed and counter of the latents' noise, the same at every step, so that engines can be compared. */
  noiseSeed: Int32Array;
}

/** What a step is checked by. */
export interface StepMetrics {
  l1: number;
  /** Weighted. */
  kl: number;
  /** Of all gradients. */
  norm: number;
}

/** Logarithms, whose differences are relative ones: the divergence is far smaller than the rest. */
export function checkedNumbers({ l1, kl, norm }: StepMetrics): number[] {
  return [l1, kl, norm].map(Math.log);
}

export function imageShape({ batch }: AutoencoderProblem): [number, number, number, number] {
  return [batch, SIZE, SIZE, 3];
}

export function latentShape({ config, batch }: AutoencoderProblem): [number, number, number, number] {
  const side = SIZE / downsamplingFactor(config);
  return [batch, side, side, config.latent_channels];
}

export function autoencoderProblem(reduced: boolean): AutoencoderProblem {
  const batch = reduced ? REDUCED_BATCH : BATCH;
  return {
    config: CONFIG,
    batch,
    weights: initialWeights(),
    images: normalArray(batch * SIZE * SIZE * 3, { seed: 1, std: 0.5 }),
    // A draw by which no gradient is so close to 0 that rounding decides which way Adam's first step goes.
    noiseSeed: Int32Array.of(4, 0, 0, 0),
  };
}

/** f32 [batch, SIZE / f, SIZE / f, latent channels]: what our step draws itself, for engines that have no Philox. */
export function latentNoise(problem: AutoencoderProblem): Float32Array {
  return normals({ seed: problem.noiseSeed, stream: 0, elements: sizeOf(latentShape(problem)) });
}

function specs(): Map<string, ParameterSpec> {
  return flattenTree<ParameterSpec>(klSpec(CONFIG), isParameterSpec);
}

function initialWeights(): AutoencoderProblem['weights'] {
  let seed = 10;
  return new Map(
    [...specs()].map(([path, { shape, initialiser }]) => {
      const [mean, std] = initialiser.kind === 'normal' ? [0, initialiser.std] : [initialiser.value, DISTURBANCE];
      const data = normalArray(sizeOf(shape), { seed: seed++, std }).map((value) => mean + value);
      return [path, { shape, data }];
    }),
  );
}

/**
 * Floating-point operations of a step: 2 per weight and position that a layer writes, and per channel and pair of
 * positions for each of attention's two products; twice that backward, less the gradient of the images. Elementwise work
 * is not counted.
 */
export function autoencoderStepFlops({ config, batch }: AutoencoderProblem): number {
  const latents = (SIZE / downsamplingFactor(config)) ** 2;
  const coarsest = config.block_out_channels.at(-1)!;
  const layers = [...specs()].filter(([, { shape }]) => shape.length > 1);
  const forward = layers.map(([path, { shape }]) => 2 * sizeOf(shape) * writtenSide(path, config) ** 2);
  const attention = 2 * (4 * latents ** 2 * coarsest);
  return batch * (3 * (sum(forward) + attention) - forward[layers.findIndex(([path]) => path === FIRST_LAYER)]);
}

const FIRST_LAYER = 'encoder.conv_in.weight';

/** Height and width of what the layer with this parameter writes. */
export function writtenSide(path: string, { block_out_channels }: KlConfig): number {
  const coarsest = block_out_channels.length - 1;
  const [, block, level] = /(down_blocks|up_blocks)\.(\d+)/.exec(path) ?? [];
  if (block === 'down_blocks') return SIZE / 2 ** (Number(level) + (path.includes('downsamplers') ? 1 : 0));
  if (block === 'up_blocks') return SIZE / 2 ** (coarsest - Number(level) - (path.includes('upsamplers') ? 1 : 0));
  return path === FIRST_LAYER || path === 'decoder.conv_out.weight' ? SIZE : SIZE / 2 ** coarsest;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
