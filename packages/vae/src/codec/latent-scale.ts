/** @file Latents of unit variance: `(z - shift) scale`, or by the mean and deviation of each channel. */
import { type AutoencoderConfig, latentChannels } from '../autoencoder/config.js';
import type { LatentDistribution } from '../image-codec.js';

/** For every channel: scaled = (z - shift) * scale. */
export interface LatentScale {
  shift: Float64Array;
  scale: Float64Array;
}

/** As diffusers' pipelines apply them: `scaling_factor` also goes with `latents_mean` and `latents_std`. */
export function latentScale(config: AutoencoderConfig, channels: number): LatentScale {
  const { scaling_factor } = config;
  const { latents_mean, latents_std, shift_factor } =
    config._class_name === 'VQModel' ? { latents_mean: null, latents_std: null, shift_factor: null } : config;
  return {
    shift: Float64Array.from({ length: channels }, (_, c) => latents_mean?.[c] ?? shift_factor ?? 0),
    scale: Float64Array.from({ length: channels }, (_, c) => scaling_factor / (latents_std?.[c] ?? 1)),
  };
}

/** Latents [..., channels] as the model sees them. */
export function scaleLatents({ shift, scale }: LatentScale, latents: Float32Array): Float32Array {
  return latents.map((value, i) => (value - shift[i % shift.length]) * scale[i % shift.length]);
}

/** The inverse. */
export function unscaleLatents({ shift, scale }: LatentScale, latents: Float32Array): Float32Array {
  return latents.map((value, i) => value / scale[i % shift.length] + shift[i % shift.length]);
}

/** A distribution of latents [..., channels] that are not scaled, as that of scaled ones. */
export function scaleDistribution(
  config: AutoencoderConfig,
  { mean, deviation }: LatentDistribution,
): LatentDistribution {
  const by = latentScale(config, latentChannels(config));
  return {
    mean: scaleLatents(by, mean),
    ...(deviation ? { deviation: deviation.map((value, i) => value * by.scale[i % by.scale.length]) } : {}),
  };
}
