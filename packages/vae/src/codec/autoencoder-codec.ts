/** @file What the codecs of both autoencoders have in common: options, sizes, and weights on a backend. */
import { TransfusionError } from '@transfusion/core';
import { createParameters } from '@transfusion/nn';
import { type Backend, flattenTree, isVariable, type Variable } from '@transfusion/tensor';
import { type AutoencoderConfig, downsamplingFactor, type KlConfig, type VqConfig } from '../autoencoder/config.js';
import { autoencoderSpec, type KlParameters, type VqParameters } from '../autoencoder/parameters.js';
import { importWeights, type StoredTensor } from '../autoencoder/weights.js';

/** How a codec runs; nothing of this changes its results. */
export interface CodecRunOptions {
  /** Images of one run; default 4. Memory grows with it. */
  maxBatch?: number;
  /** For large images. Default: above 512 x 512 pixels, in tiles of 32 MiB; null: never. */
  tiling?: Tiling | null;
}

/**
 * Large images go through one convolution at a time and that tile by tile; the maps of features between convolutions stay
 * in host memory. Norms still see the whole image, so that there are no seams.
 */
export interface Tiling {
  /** Images of more pixels than this. */
  abovePixels?: number;
  /** The most bytes that the wider of a tile's input and output has. */
  tileBytes?: number;
}

/** Parameters of an autoencoder on a backend, from a file's tensors. @throws TransfusionError CODEC_WEIGHTS, OutOfMemoryError */
export function loadParameters(options: {
  backend: Backend;
  config: KlConfig;
  weights: ReadonlyMap<string, StoredTensor>;
  where?: string;
}): KlParameters<Variable>;
export function loadParameters(options: {
  backend: Backend;
  config: VqConfig;
  weights: ReadonlyMap<string, StoredTensor>;
  where?: string;
}): VqParameters<Variable>;
export function loadParameters(options: {
  backend: Backend;
  config: AutoencoderConfig;
  weights: ReadonlyMap<string, StoredTensor>;
  where?: string;
}) {
  const { backend, config, weights: tensors, where } = options;
  const values = importWeights({ config, tensors, where });
  return createParameters(backend, autoencoderSpec(config), values);
}

export function freeParameters(parameters: unknown): void {
  for (const variable of flattenTree<Variable>(parameters, isVariable).values()) variable.destroy();
}

export interface RunOptions {
  maxBatch: number;
  streaming?: { groups: number; tileBytes: number; mostWhole: number };
}

/** @throws TransfusionError CODEC_OPTIONS */
export function runOptions(config: AutoencoderConfig, options: CodecRunOptions): RunOptions {
  const { maxBatch = 4, tiling } = options;
  const { abovePixels = 512 * 512, tileBytes = 2 ** 25 } = tiling ?? {};
  for (const [name, value] of Object.entries({ maxBatch, abovePixels, tileBytes })) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw new TransfusionError({
      code: 'CODEC_OPTIONS',
      message: `openCodec: ${name} is ${value}, expected a whole number from 1`,
      fix: 'leave the option out for its default',
    });
  }
  if (tiling === null) return { maxBatch };
  const mostWhole = abovePixels / downsamplingFactor(config) ** 2;
  return { maxBatch, streaming: { groups: config.norm_num_groups, tileBytes, mostWhole } };
}
