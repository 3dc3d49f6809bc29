/** @file The losses of an autoencoder, KL or VQ (paper, appendix A; Esser et al. 2021, arXiv 2012.09841). */
import type { Tensor } from '@transfusion/tensor';

/** The mean of |reconstruction - images| over all elements: L1. */
export function reconstructionLoss(options: { reconstruction: Tensor; images: Tensor }): Tensor {
  return options.reconstruction.sub(options.images).abs().mean();
}

/** The mean of (reconstruction - images)^2 over all elements, which PSNR is a logarithm of. */
export function squaredErrorLoss(options: { reconstruction: Tensor; images: Tensor }): Tensor {
  return options.reconstruction.sub(options.images).square().mean();
}

/**
 * The divergence of the latents' Gaussians from the standard normal, KL(N(mean, exp(logVariance)) || N(0, 1)) in nats: summed
 * over an image's latents, averaged over images. Both are [images, ...].
 *
 * Its weight of 1e-6 in the literature goes with reconstruction losses that are summed over an image's elements (Rombach et
 * al. 2022); beside a mean over them it weighs height x width x 3 times as much.
 */
export function klLoss({ mean, logVariance }: { mean: Tensor; logVariance: Tensor }): Tensor {
  const images = mean.shape[0];
  const each = mean.square().add(logVariance.exp()).sub(1).sub(logVariance);
  return each.sum().mul(0.5 / images);
}

export interface VqLoss {
  /** mean (sg(z) - e)^2: codes go to the vectors. */
  codebook: Tensor;
  /** mean (z - sg(e))^2: vectors stay with their codes. */
  commitment: Tensor;
  /** weight (codebook + beta commitment) */
  total: Tensor;
}

/**
 * The quantiser's losses (van den Oord et al. 2017, arXiv 1711.00937, equation 3), as means over all elements. Values and
 * shapes are those of `reconstructVq` of @transfusion/vae.
 */
export function vqLoss(options: {
  /** z, the encoder's vectors. */
  vectors: Tensor;
  /** e, their nearest codes' vectors. */
  codeVectors: Tensor;
  /** Of the commitment; default 0.25. */
  beta?: number;
  /** Of both terms; default 1. */
  weight?: number;
}): VqLoss {
  const { vectors, codeVectors, beta = 0.25, weight = 1 } = options;
  const codebook = codeVectors.sub(vectors.detach()).square().mean();
  const commitment = vectors.sub(codeVectors.detach()).square().mean();
  return { codebook, commitment, total: codebook.add(commitment.mul(beta)).mul(weight) };
}
