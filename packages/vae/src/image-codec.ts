/** @file What an image codec is: it turns images into the latents that the model diffuses, and back. */
import type { ImageSize, LatentShape } from './codec/latent-shape.js';
import type { CodecConfig } from './codec-config.js';

/** An image's latents: normal, independent of each other. Both [latent height, latent width, channels]. */
export interface LatentDistribution {
  mean: Float32Array;
  /** Standard deviation; none where latents are certain. */
  deviation?: Float32Array;
}

/**
 * Images are f32 [height, width, 3] in [-1, 1], latents f32 [latent height, latent width, channels], both flattened. One
 * call takes any number of images of one size.
 */
export interface ImageCodec {
  /** JSON; with a backend and the same weights, `openCodec` makes an equal codec of it. */
  readonly config: CodecConfig;
  /** What latents are multiplied by when encoded, and divided by when decoded, so that their variance is near 1. */
  readonly scale: number;
  /** The latents of an image of this size. @throws TransfusionError CODEC_IMAGE_SIZE: the codec has no latents for it */
  latentShape(size: ImageSize): LatentShape;
  /**
   * `seed`: where latents have a distribution, draw from it, each image independently; default: its mode.
   * @throws TransfusionError CODEC_SHAPE: an image is no Float32Array, or does not have the size's number of values;
   *   CODEC_NOT_FINITE: an image has NaN or an infinity, or its latents would
   */
  encode(options: ImageSize & { images: readonly Float32Array[]; seed?: number }): Promise<Float32Array[]>;
  /** What `encode` draws from, or takes the mode of. @throws TransfusionError CODEC_SHAPE, CODEC_NOT_FINITE */
  encodeDistribution(options: ImageSize & { images: readonly Float32Array[] }): Promise<LatentDistribution[]>;
  /** `height` and `width` are the image's. @throws TransfusionError CODEC_SHAPE, CODEC_NOT_FINITE */
  decode(options: ImageSize & { latents: readonly Float32Array[] }): Promise<Float32Array[]>;
  /** Frees weights and compiled functions. */
  dispose(): void;
}

/** A codec that makes token ids of images too. */
export interface CodeCodec extends ImageCodec {
  /** Ids of each image, [latent height, latent width]. @throws TransfusionError CODEC_SHAPE, CODEC_NOT_FINITE */
  encodeCodes(options: ImageSize & { images: readonly Float32Array[] }): Promise<Int32Array[]>;
  /** @throws TransfusionError CODEC_CODES: an id is not of the codebook; CODEC_SHAPE, CODEC_NOT_FINITE */
  decodeCodes(options: ImageSize & { codes: readonly Int32Array[] }): Promise<Float32Array[]>;
}

/** Whether a codec has a codebook. */
export function hasCodes(codec: ImageCodec): codec is CodeCodec {
  return codec.config.kind === 'vq';
}
