/** @file The codec that does nothing: the model diffuses pixels, as in the paper's preliminary runs (footnote 3). */
import { checkArrays } from './codec/check-arrays.js';
import { type ImageSize, type LatentShape, pixelLatentShape } from './codec/latent-shape.js';
import type { ImageCodec, LatentDistribution } from './image-codec.js';

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
    return copyAll('encodeDistribution', 'images', options.images, options).map((mean) => ({ mean }));
  }

  async decode(options: ImageSize & { latents: readonly Float32Array[] }): Promise<Float32Array[]> {
    return copyAll('decode', 'latents', options.latents, options);
  }

  dispose(): void {}
}

/** Copies, so that the caller of any codec owns what it gets. */
function copyAll(
  method: string,
  what: 'images' | 'latents',
  arrays: readonly Float32Array[],
  size: ImageSize,
): Float32Array[] {
  const { height, width, channels } = pixelLatentShape(size);
  const fix = `resize to ${width} x ${height}, three channels`;
  checkArrays({ method: `pixels.${method}`, what, arrays, shape: [height, width, channels], fix });
  return arrays.map((array) => array.slice());
}
