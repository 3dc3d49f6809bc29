/** @file The latents of an image's size. */
import { TransfusionError } from '@transfusion/core';
import { type AutoencoderConfig, downsamplingFactor, latentChannels } from '../autoencoder/config.js';

/** Pixels. */
export interface ImageSize {
  height: number;
  width: number;
}

/** Latents are [height, width, channels]. */
export interface LatentShape {
  height: number;
  width: number;
  channels: number;
}

/** Of an image without an autoencoder. @throws TransfusionError CODEC_IMAGE_SIZE */
export function pixelLatentShape({ height, width }: ImageSize): LatentShape {
  if (!Number.isInteger(height) || height < 1 || !Number.isInteger(width) || width < 1) {
    throw new TransfusionError({
      code: 'CODEC_IMAGE_SIZE',
      message: `pixels: an image of ${width} x ${height}; both must be whole numbers from 1`,
      fix: 'give the height and width of the image in pixels',
    });
  }
  return { height, width, channels: 3 };
}

/** @throws TransfusionError CODEC_IMAGE_SIZE: the size is no multiple of the downsampling factor */
export function autoencoderLatentShape(config: AutoencoderConfig, { height, width }: ImageSize): LatentShape {
  const factor = downsamplingFactor(config);
  if (![height, width].every((length) => Number.isInteger(length) && length >= factor && length % factor === 0)) {
    throw new TransfusionError({
      code: 'CODEC_IMAGE_SIZE',
      message: `${config._class_name}: an image of ${width} x ${height}; both must be multiples of ${factor}, the downsampling of ${config.block_out_channels.length} levels`,
      fix: `resize or crop it, for example to ${multiple(width, factor)} x ${multiple(height, factor)}`,
    });
  }
  return { height: height / factor, width: width / factor, channels: latentChannels(config) };
}

function multiple(length: number, factor: number): number {
  return Math.max(factor, factor * Math.floor((Number.isFinite(length) ? length : 0) / factor));
}
