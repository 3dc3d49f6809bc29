/** @file The mean and deviation of latents, measured, and the autoencoder's configuration with them. */
import type { AutoencoderConfig, LatentDistribution } from '@transfusion/vae';

/** Of every channel, over drawn latents. */
export interface LatentStatistics {
  mean: number[];
  deviation: number[];
}

/** Adds up latents [..., channels], one image after another. */
export class LatentMeter {
  private count = 0;
  private readonly sums: Float64Array;
  private readonly squares: Float64Array;

  constructor(private readonly channels: number) {
    this.sums = new Float64Array(channels);
    this.squares = new Float64Array(channels);
  }

  add({ mean, deviation }: LatentDistribution): void {
    mean.forEach((value, i) => {
      const channel = i % this.channels;
      this.sums[channel] += value;
      this.squares[channel] += value * value + (deviation ? deviation[i] ** 2 : 0);
    });
    this.count += mean.length / this.channels;
  }

  read(): LatentStatistics {
    const mean = Array.from(this.sums, (sum) => sum / this.count);
    // A channel that says nothing has no deviation to divide by.
    const deviation = Array.from(this.squares, (sum, c) => Math.sqrt(Math.max(1e-12, sum / this.count - mean[c] ** 2)));
    return { mean, deviation };
  }
}

/** The same autoencoder, whose latents are not scaled. */
export function withoutScale<Config extends AutoencoderConfig>(config: Config): Config {
  return config._class_name === 'VQModel'
    ? { ...config, scaling_factor: 1 }
    : { ...config, scaling_factor: 1, shift_factor: null, latents_mean: null, latents_std: null };
}

/**
 * The same autoencoder with a scale that gives latents of these statistics variance 1: of a KL autoencoder the mean and
 * deviation of every channel, of a VQ autoencoder, which has no shift, the root mean square of all as `scaling_factor`.
 */
export function withScale<Config extends AutoencoderConfig>(
  config: Config,
  { mean, deviation }: LatentStatistics,
): Config {
  if (config._class_name !== 'VQModel') {
    return { ...withoutScale(config), latents_mean: mean, latents_std: deviation };
  }
  const square = mean.reduce((sum, each, c) => sum + each ** 2 + deviation[c] ** 2, 0) / mean.length;
  return { ...config, scaling_factor: 1 / Math.sqrt(square) };
}
