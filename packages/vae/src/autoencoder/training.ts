/** @file What training needs of a forward pass: the reconstruction, and the terms of the losses. */
import type { Tensor } from '@transfusion/tensor';
import { quantiseStraightThrough } from '../quantiser/straight-through.js';
import { decode, encode, encodeToVectors } from './autoencoder.js';
import type { KlConfig, VqConfig } from './config.js';
import type { KlParameters, VqParameters } from './parameters.js';
import { type Posterior, samplePosterior } from './posterior.js';

export interface KlReconstruction {
  /** [batch, height, width, 3] */
  reconstruction: Tensor;
  posterior: Posterior;
}

/** Images [batch, height, width, 3] through latents drawn with `noise`, [batch, height / f, width / f, latent channels]. */
export function reconstructKl(options: {
  config: KlConfig;
  parameters: KlParameters;
  images: Tensor;
  noise: Tensor;
}): KlReconstruction {
  const { config, parameters, images, noise } = options;
  const posterior = encode(config, parameters, images);
  return { reconstruction: decode(config, parameters, samplePosterior(posterior, noise)), posterior };
}

export interface VqReconstruction {
  /** [batch, height, width, 3] */
  reconstruction: Tensor;
  /** What the encoder gives, [batch, height / f, width / f, code channels]. */
  vectors: Tensor;
  /** The nearest codes' vectors, of the same shape. */
  codeVectors: Tensor;
  /** i32 [batch, height / f, width / f] */
  codes: Tensor;
}

/** Images [batch, height, width, 3] through the codebook, which lets some gradients through and stops others. */
export function reconstructVq(options: {
  config: VqConfig;
  parameters: VqParameters;
  images: Tensor;
}): VqReconstruction {
  const { config, parameters, images } = options;
  const vectors = encodeToVectors(config, parameters, images);
  const quantiser = quantiseStraightThrough({ vectors, codebook: parameters.quantize.embedding.weight });
  const { codes, quantised, codeVectors } = quantiser;
  return { reconstruction: decode(config, parameters, quantised), vectors, codeVectors, codes };
}
