/** @file What an image codec is: it turns images into the latents that the model diffuses, and back. */
import { z } from 'zod';
import { klConfigSchema, vqConfigSchema } from './autoencoder/config.js';
import { autoencoderLatentShape } from './codec/latent-shape.js';
import { pixelCodecSchema, pixelLatentShape } from './pixel-codec.js';

export const klCodecSchema = z
  .strictObject({
    kind: z.literal('kl').describe('latents are those of a KL autoencoder'),
    autoencoder: klConfigSchema,
  })
  .describe("Continuous latents: diffusers' AutoencoderKL.");

export const vqCodecSchema = z
  .strictObject({
    kind: z.literal('vq').describe('latents are vectors of a codebook, images also token ids'),
    autoencoder: vqConfigSchema,
  })
  .describe("Discrete latents: diffusers' VQModel.");

export const codecConfigSchema = z.discriminatedUnion('kind', [pixelCodecSchema, klCodecSchema, vqCodecSchema]);

export type CodecConfig = z.output<typeof codecConfigSchema>;
export type CodecConfigInput = z.input<typeof codecConfigSchema>;

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
   * @throws TransfusionError CODEC_SHAPE: an image does not have the size's number of values
   */
  encode(options: ImageSize & { images: readonly Float32Array[]; seed?: number }): Promise<Float32Array[]>;
  /** What `encode` draws from, or takes the mode of. @throws TransfusionError CODEC_SHAPE */
  encodeDistribution(options: ImageSize & { images: readonly Float32Array[] }): Promise<LatentDistribution[]>;
  /** `height` and `width` are the image's. @throws TransfusionError CODEC_SHAPE */
  decode(options: ImageSize & { latents: readonly Float32Array[] }): Promise<Float32Array[]>;
  /** Frees weights and compiled functions. */
  dispose(): void;
}

/**
 * The shape of a codec's latents, from its configuration alone.
 *
 * @throws TransfusionError CODEC_IMAGE_SIZE
 */
export function latentShapeOf(config: CodecConfig, size: ImageSize): LatentShape {
  return config.kind === 'pixels' ? pixelLatentShape(size) : autoencoderLatentShape(config.autoencoder, size);
}
