/** @file The latents of a run's pictures: encoded now, or read from a folder. */
import { createProgress } from '@transfusion/app-common';
import type { CaptionedImage } from '@transfusion/data';
import { type ImageCodec, type LatentDistribution, type StoredCodec, scaleDistribution } from '@transfusion/vae';
import { encodeVariants } from './example-latents.js';
import type { LatentsFile } from './format.js';
import { readLatents } from './read-latents.js';

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
  /** Stops the encoding. */
  signal?: AbortSignal;
}): Promise<LatentDistribution[][]> {
  const { images, flip, codec, stored, folder, signal } = options;
  if (!folder || stored.config.kind === 'pixels') return encodeAll(codec, images, flip, signal);
  const { autoencoder } = stored.config;
  const latents = await readLatents(folder.path, folder.file, { codec: stored, images, flip });
  return latents.map((variants) => variants.map((each) => scaleDistribution(autoencoder, each)));
}

async function encodeAll(codec: ImageCodec, images: readonly CaptionedImage[], flip: boolean, signal?: AbortSignal) {
  if (codec.config.kind === 'pixels') return encodeVariants(codec, images, flip);
  const progress = createProgress({ label: 'encode', total: images.length });
  try {
    return await encodeVariants(codec, images, flip, { signal, onProgress: (done) => progress.update(done) });
  } finally {
    progress.stop();
  }
}
