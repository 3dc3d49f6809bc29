/** @file The configuration of an image codec: pixels, or an autoencoder. */
import { z } from 'zod';
import { klConfigSchema, vqConfigSchema } from './autoencoder/config.js';
import { autoencoderLatentShape, type ImageSize, type LatentShape, pixelLatentShape } from './codec/latent-shape.js';

export const pixelCodecSchema = z
  .strictObject({ kind: z.literal('pixels').describe('latents are the pixels, in [-1, 1]') })
  .describe('No autoencoder.');

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

/**
 * The shape of a codec's latents, from its configuration alone.
 *
 * @throws TransfusionError CODEC_IMAGE_SIZE
 */
export function latentShapeOf(config: CodecConfig, size: ImageSize): LatentShape {
  return config.kind === 'pixels' ? pixelLatentShape(size) : autoencoderLatentShape(config.autoencoder, size);
}
