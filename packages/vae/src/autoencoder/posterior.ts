/** @file The distribution of an image's latents: a Gaussian for every number. */
import type { Tensor } from '@transfusion/tensor';

const LEAST_LOG_VARIANCE = -30;
const GREATEST_LOG_VARIANCE = 20;

/** Both [batch, height, width, latent channels]. */
export interface Posterior<T = Tensor> {
  /** Also the mode. */
  mean: T;
  /** Clamped to [-30, 20]. */
  logVariance: T;
}

/** From moments [batch, height, width, 2 channels]: means first, then log variances. */
export function posteriorOf(moments: Tensor): Posterior {
  const channels = moments.shape[3] / 2;
  return {
    mean: moments.slice(3, 0, channels),
    logVariance: moments
      .slice(3, channels, 2 * channels)
      .maximum(LEAST_LOG_VARIANCE)
      .minimum(GREATEST_LOG_VARIANCE),
  };
}

/** Latents mean + deviation noise; `noise` is standard normal, shaped like the mean. */
export function samplePosterior({ mean, logVariance }: Posterior, noise: Tensor): Tensor {
  return mean.add(logVariance.mul(0.5).exp().mul(noise));
}
