/** @file Reads a folder of latents, checked against the pictures and the autoencoder that it should be of. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseConfig } from '@transfusion/checkpoint';
import type { CaptionedImage } from '@transfusion/data';
import { TransfusionError } from '@transfusion/tensor';
import type { LatentDistribution, StoredCodec } from '@transfusion/vae';
import { readShard } from './encode-latents.js';
import { LATENTS_FILE, type LatentsFile, latentsFileSchema, latentsIdentity, shardFile } from './format.js';

/** @throws TransfusionError LATENTS_MISSING; CheckpointError CONFIG_INVALID */
export async function readLatentsFile(folder: string): Promise<LatentsFile> {
  const path = join(folder, LATENTS_FILE);
  let json: unknown;
  try {
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
  if (!isOwn) {
    throw new TransfusionError({
      code: 'LATENTS_FOREIGN',
      message: `${folder} has latents of other pictures, or of another autoencoder, than this run is configured to use`,
      fix: 'run `trainer encode` with the same configuration, or leave data.latents out',
    });
  }
  const all: LatentDistribution[][] = [];
  for (let index = 0; index * file.shardImages < file.images; index++) {
    all.push(...(await readShard(join(folder, shardFile(index)))));
  }
  const values = file.shape.height * file.shape.width * file.shape.channels;
  const odd = all.length !== images.length || all.some((each) => each.some(({ mean }) => mean.length !== values));
  if (odd) {
    throw new TransfusionError({
      code: 'LATENTS_FORMAT',
      message: `${folder} has ${all.length} pictures' latents, and latents.json says ${file.images} of ${values} values`,
      fix: 'remove it, and run `trainer encode` again',
    });
  }
  return all.map((variants) => variants.slice(0, flip ? 2 : 1));
}
