/** @file The codec that does nothing: the model diffuses pixels, as in the paper's preliminary runs (footnote 3). */
import { TransfusionError } from '@transfusion/tensor';
import { z } from 'zod';
import { checkArrays } from './codec/latent-shape.js';
import type { ImageCodec, ImageSize, LatentDistribution, LatentShape } from './image-codec.js';

export const pixelCodecSchema = z
  .strictObject({ kind: z.literal('pixels').describe('latents are the pixels, in [-1, 1]') })
  .describe('No autoencoder.');

const CHANNELS = 3;

export function pixelLatentShape({ height, width }: ImageSize): LatentShape {
  if (!Number.isInteger(height) || height < 1 || !Number.isInteger(width) || width < 1) {
    throw new TransfusionError({
      code: 'CODEC_IMAGE_SIZE',
      message: `pixels: an image of ${height} x ${width}; both must be whole numbers from 1`,
    });
  }
  return { height, width, channels: CHANNELS };
}

export class PixelCodec implements ImageCodec {
  readonly config = Object.freeze({ kind: 'pixels' as const });
  readonly scale = 1;

  latentShape(size: ImageSize): LatentShape {
    return pixelLatentShape(size);
  }

  async encode(options: ImageSize & { images: readonly Float32Array[] }): Promise<Float32Array[]> {
    return copyAll('encode', 'images', options.images, options);
  }

  async encodeDistribution(options: ImageSize & { images: readonly Float32Array[] }): Promise<LatentDistribution[]> {
    return (await this.encode(options)).map((mean) => ({ mean }));
  }

  async decode(options: ImageSize & { latents: readonly Float32Array[] }): Promise<Float32Array[]> {
    return copyAll('decode', 'latents', options.latents, options);
  }

  dispose(): void {}
}

/** Copies, so that the caller of any codec owns what it gets. */
function copyAll(method: string, what: string, arrays: readonly Float32Array[], size: ImageSize): Float32Array[] {
  const { height, width, channels } = pixelLatentShape(size);
  const fix = `resize to ${height} x ${width}, three channels`;
  checkArrays({ method: `pixels.${method}`, what, arrays, shape: [height, width, channels], fix });
  return arrays.map((array) => array.slice());
}
