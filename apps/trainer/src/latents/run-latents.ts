/** @file The latents of a run's pictures: encoded now, or read from a folder. */
import { createProgress } from '@transfusion/app-common';
import type { CaptionedImage } from '@transfusion/data';
import { type ImageCodec, type LatentDistribution, type StoredCodec, scaleDistribution } from '@transfusion/vae';
import { encodeVariants } from './example-latents.js';
import type { LatentsFile } from './format.js';
import { readLatents } from './read-latents.js';

/** Pictures encoded between two looks at the progress bar. */
const PART = 64;

/** A folder of latents that was found for a run. */
export interface LatentsFolder {
  path: string;
  file: LatentsFile;
}

/** Of every picture, in order, the scaled latents of its variants. */
export async function runLatents(options: {
  images: readonly CaptionedImage[];
  flip: boolean;
  codec: ImageCodec;
  stored: StoredCodec;
  folder?: LatentsFolder;
}): Promise<LatentDistribution[][]> {
  const { images, flip, codec, stored, folder } = options;
  if (!folder || stored.config.kind === 'pixels') return encodeAll(codec, images, flip);
  const { autoencoder } = stored.config;
  const latents = await readLatents(folder.path, folder.file, { codec: stored, images, flip });
  return latents.map((variants) => variants.map((each) => scaleDistribution(autoencoder, each)));
}

async function encodeAll(codec: ImageCodec, images: readonly CaptionedImage[], flip: boolean) {
  if (codec.config.kind === 'pixels') return encodeVariants(codec, images, flip);
  const progress = createProgress({ label: 'encode', total: images.length });
  const latents: LatentDistribution[][] = [];
  for (let start = 0; start < images.length; start += PART) {
    latents.push(...(await encodeVariants(codec, images.slice(start, start + PART), flip)));
    progress.update(latents.length);
  }
  progress.stop();
  return latents;
}
