/** @file What training needs of a forward pass: the reconstruction, and the terms of the losses. */
import { trainableCopy } from '@transfusion/nn';
import type { Tensor } from '@transfusion/tensor';
import { type LiveAndConstant, quantiseStraightThrough } from '../quantiser/straight-through.js';
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
  /** What to differentiate with respect to, and the parameters as they are. */
  parameters: { live: VqParameters; constant: VqParameters };
  /** [batch, height, width, 3] */
  reconstruction: Tensor;
  /** What the encoder gives, [batch, height / f, width / f, code channels]. */
  vectors: LiveAndConstant;
  /** The nearest codes' vectors, of the same shape. */
  codeVectors: LiveAndConstant;
  /** i32 [batch, height / f, width / f] */
  codes: Tensor;
}

/**
 * Images [batch, height, width, 3] through the codebook. Take gradients with respect to the result's `parameters.live`:
 * the quantiser lets some of them through and stops others.
 */
export function reconstructVq(options: {
  config: VqConfig;
  parameters: VqParameters;
  images: Tensor;
}): VqReconstruction {
  const { config, parameters: constant, images } = options;
  const live = trainableCopy(constant);
  const vectors = {
    live: encodeToVectors(config, live, images),
    constant: encodeToVectors(config, constant, images),
  };
  const codebook = { live: live.quantize.embedding.weight, constant: constant.quantize.embedding.weight };
  const { codes, quantised, codeVectors } = quantiseStraightThrough({ vectors, codebook });
  const reconstruction = decode(config, live, quantised);
  return { parameters: { live, constant }, reconstruction, vectors, codeVectors, codes };
}
