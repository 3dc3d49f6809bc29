/** @file The latents of a run's pictures: read from a folder, or encoded when the run starts. */
import { createProgress } from '@transfusion/app-common';
import type { InPartsOptions, TransfusionTask } from '@transfusion/training';
import { type LatentsFile, readLatents } from '@transfusion/training/node';
import { type LatentDistribution, type StoredCodec, scaleDistribution } from '@transfusion/vae';

/** A folder of latents that was found for a run. */
export interface LatentsFolder {
  path: string;
  file: LatentsFile;
}

/** Of every example, in order, the scaled latents of its variants. */
export async function storedLatents(
  { examples, config }: TransfusionTask,
  codec: StoredCodec,
  { path, file }: LatentsFolder,
): Promise<LatentDistribution[][]> {
  const latents = await readLatents(path, file, { codec, images: examples, flip: config.data.flip });
  if (codec.config.kind === 'pixels') return latents;
  const { autoencoder } = codec.config;
  return latents.map((variants) => variants.map((each) => scaleDistribution(autoencoder, each)));
}

/** Gives `work` a progress line for the encoding of pictures. */
export async function withEncoding<Result>(
  { examples, codec }: TransfusionTask,
  signal: AbortSignal | undefined,
  work: (options: InPartsOptions) => Promise<Result>,
): Promise<Result> {
  if (codec.config.kind === 'pixels' || examples.length === 0) return work({ signal });
  const progress = createProgress({ label: 'encode', total: examples.length });
  try {
    return await work({
      signal,
      onProgress(done) {
        progress.update(done);
        if (done === examples.length) progress.stop();
      },
    });
  } finally {
    progress.stop();
  }
}
