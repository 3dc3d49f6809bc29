/** @file The codec that a run is configured to use, in host memory. */

import { modelPath } from '@transfusion/app-common';
import { openCheckpoint } from '@transfusion/checkpoint/node';
import { TransfusionError } from '@transfusion/core';
import { PIXELS } from '@transfusion/training';
import { foreignLatents, type LatentsFile, networkOf, readLatentsFile } from '@transfusion/training/node';
import { autoencoderCodec, readCodecFolder, type StoredCodec } from '@transfusion/vae';
import type { RunConfig } from '../config/run-config.js';

export interface RunCodec {
  stored: StoredCodec;
  /** Where its latents of this run's pictures are kept. */
  latents?: { path: string; file: LatentsFile };
}

/**
 * Pixels, or an autoencoder; with the scale of the run's folder of latents, where it has one.
 * @param resumed the codec of the run that is resumed
 * @throws TransfusionError MODEL_NAME, CODEC_*, LATENTS_*; CheckpointError
 */
export async function readRunCodec(config: RunConfig, resumed?: StoredCodec): Promise<RunCodec> {
  const stored = resumed ?? (await readCodec(config.codec));
  const path = config.data.latents;
  if (path === null) return { stored };
  if (stored.config.kind === 'pixels') {
    throw new TransfusionError({
      code: 'CONFIG_LATENTS',
      message: `data.latents is ${path}, and codec is not set`,
      fix: 'say which autoencoder the latents are of: --set codec=NAME or FOLDER',
    });
  }
  const file = await readLatentsFile(path);
  if (networkOf(stored.config.autoencoder) !== networkOf(file.autoencoder)) throw foreignLatents(path);
  if (resumed) return { stored, latents: { path, file } };
  return { stored: { ...stored, config: autoencoderCodec(file.autoencoder) }, latents: { path, file } };
}

/** @param codec a name or a path; null: pixels */
export async function readCodec(codec: string | null): Promise<StoredCodec> {
  if (codec === null) return PIXELS;
  return openCheckpoint(modelPath(codec), (reader) => readCodecFolder(reader));
}
