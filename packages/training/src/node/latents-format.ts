/** @file The files of a folder of latents: what a cache is of, and where what is. */
import { createHash } from 'node:crypto';
import { type AutoencoderConfig, klConfigSchema, type StoredCodec, vqConfigSchema } from '@transfusion/vae';
import { z } from 'zod';
import type { NamedPicture } from '../latents/document-pictures.js';
import { withoutScale } from '../latents/statistics.js';

/** Pictures of a file. */
export const SHARD_IMAGES = 512;

/** `latents.json`, written last: a folder with it is complete. */
export const latentsFileSchema = z.strictObject({
  format: z.literal('transfusion-latents'),
  version: z.literal(2),
  identity: z.string().describe('a hash of the autoencoder'),
  images: z.int().min(1).describe('pictures'),
  shardImages: z.int().min(1).describe('pictures of a file'),
  variants: z.union([z.literal(1), z.literal(2)]).describe('2: pictures as they are, and mirrored'),
  shape: z.strictObject({ height: z.int().min(1), width: z.int().min(1), channels: z.int().min(1) }),
  autoencoder: z.union([klConfigSchema, vqConfigSchema]).describe('with the scale that was measured on these latents'),
});

export type LatentsFile = z.output<typeof latentsFileSchema>;

export const LATENTS_FILE = 'latents.json';

/**
 * Tensors `mean` and, of KL autoencoders, `deviation`: [pictures, variants, height, width, channels], not scaled; `picture`,
 * [pictures, 32] bytes: the SHA-256 of each picture's pixels, by which a run finds its own.
 */
export function shardFile(index: number): string {
  return `latents-${String(index).padStart(5, '0')}.safetensors`;
}

/** What a network computes with: its configuration without the scale of latents, and without notes. */
export function networkOf(config: AutoencoderConfig): string {
  const { _diffusers_version, _name_or_path, sample_size, ...network } = withoutScale(config);
  return JSON.stringify(Object.entries(network).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A hash of the autoencoder. */
export function codecIdentity({ config, weights }: StoredCodec): string {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([config.kind, config.kind === 'pixels' ? null : networkOf(config.autoencoder)]));
  for (const [name, { shape, data }] of [...weights].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(JSON.stringify([name, shape]));
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex');
}

/** Of each picture, by its pixels. */
export function pictureHash({ pixels }: Pick<NamedPicture, 'pixels'>): Buffer {
  return createHash('sha256').update(pixels).digest();
}

/** A hash of all that a file's latents depend on: the autoencoder, the mirroring, the pixels of its pictures, in order. */
export function shardIdentity(codec: string, images: readonly NamedPicture[], flip: boolean): string {
  const hash = createHash('sha256').update(JSON.stringify([codec, flip]));
  for (const { pixels } of images) hash.update(pixels);
  return hash.digest('hex');
}
