/** @file Reads a folder of latents, checked against the pictures and the autoencoder that it should be of. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseConfig } from '@transfusion/checkpoint';
import type { CaptionedImage } from '@transfusion/data';
import { TransfusionError } from '@transfusion/tensor';
import type { LatentDistribution, StoredCodec } from '@transfusion/vae';
import { readShard } from './encode-latents.js';
import { LATENTS_FILE, type LatentsFile, latentsFileSchema, latentsIdentity, shardFile } from './format.js';

const MOST_BYTES = 2 ** 20;

export function foreignLatents(folder: string): TransfusionError {
  return new TransfusionError({
    code: 'LATENTS_FOREIGN',
    message: `${folder} has latents of other pictures, or of another autoencoder, than this run is configured to use`,
    fix: 'run `trainer encode` with the same configuration, or leave data.latents out',
  });
}

/** @throws TransfusionError LATENTS_MISSING; CheckpointError CONFIG_INVALID */
export async function readLatentsFile(folder: string): Promise<LatentsFile> {
  const path = join(folder, LATENTS_FILE);
  let json: unknown;
  try {
    const { size } = await stat(path);
    if (size > MOST_BYTES) throw new Error(`it has ${size} bytes, the most is ${MOST_BYTES}`);
    json = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new TransfusionError({
      code: 'LATENTS_MISSING',
      message: `cannot read ${path}: ${error instanceof Error ? error.message : error}`,
      fix: '`trainer encode` makes such a folder; run it again if it was interrupted',
      cause: error,
    });
  }
  return parseConfig(latentsFileSchema, json, path);
}

/**
 * The latents of every picture, in order, not scaled: one distribution for each variant.
 * @throws TransfusionError LATENTS_FOREIGN, LATENTS_FORMAT; CheckpointError CHECKPOINT_*
 */
export async function readLatents(
  folder: string,
  file: LatentsFile,
  { codec, images, flip }: { codec: StoredCodec; images: readonly CaptionedImage[]; flip: boolean },
): Promise<LatentDistribution[][]> {
  const isOwn = [flip, !flip && file.variants === 2].some(
    (mirrored) => latentsIdentity(codec, images, mirrored) === file.identity,
  );
  if (!isOwn) throw foreignLatents(folder);
  const all: LatentDistribution[][] = [];
  for (let first = 0, index = 0; first < images.length; first += file.shardImages, index++) {
    const count = Math.min(file.shardImages, images.length - first);
    for (const each of await readShard(join(folder, shardFile(index)), { ...file, images: count })) all.push(each);
  }
  return all.map((variants) => variants.slice(0, flip ? 2 : 1));
}
