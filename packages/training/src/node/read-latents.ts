/** @file Reads a folder of latents, checked against the pictures and the autoencoder that it should be of. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeText } from '@transfusion/checkpoint';
import { parseConfig, reason, TransfusionError } from '@transfusion/core';
import {
  type LatentDistribution,
  type LatentShape,
  latentShapeOf,
  type StoredCodec,
  scaleDistribution,
} from '@transfusion/vae';
import { type InPartsOptions, inParts } from '../in-parts.js';
import type { NamedPicture } from '../latents/document-pictures.js';
import { readShard } from './encode-latents.js';
import {
  codecIdentity,
  LATENTS_FILE,
  type LatentsFile,
  latentsFileSchema,
  pictureHash,
  shardFile,
} from './latents-format.js';

const MOST_BYTES = 2 ** 20;

export function foreignLatents(folder: string, why = 'it has latents of another autoencoder'): TransfusionError {
  return new TransfusionError({
    code: 'LATENTS_FOREIGN',
    message: `${folder} is not for this run: ${why}`,
    fix: 'run `trainer encode` with the same configuration into a new folder, or leave data.latents out',
  });
}

/** @throws TransfusionError LATENTS_MISSING; CONFIG_INVALID */
export async function readLatentsFile(folder: string): Promise<LatentsFile> {
  const path = join(folder, LATENTS_FILE);
  let json: unknown;
  try {
    const { size } = await stat(path);
    if (size > MOST_BYTES) throw new Error(`it has ${size} bytes, the most is ${MOST_BYTES}`);
    json = JSON.parse(decodeText(await readFile(path), path));
  } catch (error) {
    throw new TransfusionError({
      code: 'LATENTS_MISSING',
      message: `cannot read ${path}: ${reason(error)}`,
      fix: '`trainer encode` makes such a folder; run it again if it was interrupted',
      cause: error,
    });
  }
  if ((json as { version?: unknown } | null)?.version === 1) {
    throw new TransfusionError({
      code: 'LATENTS_VERSION',
      message: `${path} was written by an earlier version of this program, which did not say what picture each latent is of`,
      fix: 'run `trainer encode` again, into a new folder: the same pictures give the same latents',
    });
  }
  return parseConfig(latentsFileSchema, json, path);
}

export interface WantedLatents extends InPartsOptions {
  codec: StoredCodec;
  images: readonly NamedPicture[];
  flip: boolean;
}

/**
 * The latents of every picture, in their order, not scaled: one distribution for each variant. The folder may have more.
 * @throws TransfusionError LATENTS_FOREIGN, LATENTS_FORMAT; CheckpointError CHECKPOINT_*
 */
export async function readLatents(
  folder: string,
  file: LatentsFile,
  { codec, images, flip, ...progress }: WantedLatents,
): Promise<LatentDistribution[][]> {
  if (codecIdentity(codec) !== file.identity) throw foreignLatents(folder);
  if (flip && file.variants === 1) throw foreignLatents(folder, 'it has no latents of mirror images');
  // The same bytes may be pictures of other sizes.
  const other = images.find((image) => !isSameShape(latentShapeOf(codec.config, image), file.shape));
  if (other) throw foreignLatents(folder, `it has latents of pictures of another size than ${other.name}`);
  const hashes = async (part: readonly NamedPicture[]) => part.map((image) => pictureHash(image).toString('hex'));
  const keys = await inParts(images, hashes, progress);
  const wanted = new Set(keys);
  const found = new Map<string, LatentDistribution[]>();
  for (let first = 0, index = 0; first < file.images; first += file.shardImages, index++) {
    const count = Math.min(file.shardImages, file.images - first);
    for (const { picture, variants } of await readShard(join(folder, shardFile(index)), { ...file, images: count })) {
      if (wanted.has(picture)) found.set(picture, variants.slice(0, flip ? 2 : 1));
    }
  }
  const missing = images.filter((_, i) => !found.has(keys[i]));
  if (missing.length > 0) {
    const first = `${missing.length} of the run's ${images.length} pictures are not in it, the first is ${missing[0].name}`;
    throw foreignLatents(folder, first);
  }
  return keys.map((key) => found.get(key)!);
}

function isSameShape(one: LatentShape, other: LatentShape): boolean {
  return one.height === other.height && one.width === other.width && one.channels === other.channels;
}

/** `readLatents`, scaled as the codec says: what a session takes. */
export async function readScaledLatents({
  path,
  file,
  ...wanted
}: { path: string; file: LatentsFile } & WantedLatents): Promise<LatentDistribution[][]> {
  const latents = await readLatents(path, file, wanted);
  const { config } = wanted.codec;
  if (config.kind === 'pixels') return latents;
  return latents.map((variants) => variants.map((each) => scaleDistribution(config.autoencoder, each)));
}
