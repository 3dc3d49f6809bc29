/** @file Writes a folder of latents, file by file; goes on where it was interrupted, to the same bytes. */

import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type TensorData, writeSafetensors } from '@transfusion/checkpoint';
import { checkWritableFile, readSafetensorsFile, SafetensorsFile, writeOutputFile } from '@transfusion/checkpoint/node';
import { TransfusionError } from '@transfusion/core';
import type { Communicator } from '@transfusion/distributed';
import type { Backend } from '@transfusion/tensor';
import {
  type ImageCodec,
  type LatentDistribution,
  type LatentShape,
  openCodec,
  type StoredCodec,
} from '@transfusion/vae';
import type { NamedPicture } from '../latents/document-pictures.js';
import { encodeVariants } from '../latents/picture-latents.js';
import { LatentMeter, withoutScale, withScale } from '../latents/statistics.js';
import { gatherNumbers } from '../ranks/exchange.js';
import {
  codecIdentity,
  LATENTS_FILE,
  type LatentsFile,
  pictureHash,
  SHARD_IMAGES,
  shardFile,
  shardIdentity,
} from './latents-format.js';

/** Of a SHA-256. */
const HASH_BYTES = 32;

export interface EncodeOptions {
  backend: Backend;
  codec: StoredCodec;
  images: readonly NamedPicture[];
  /** Encode mirror images, too. */
  flip: boolean;
  folder: string;
  /** Leave after the file in progress: the next start goes on after it. */
  signal: AbortSignal;
  onProgress?: (done: number) => void;
  /** Of ranks that write one folder together: each writes some of the files, and the first one what is said of all. */
  communicator?: Communicator;
}

export interface EncodeResult {
  /** False when it was told to stop before the last file. */
  finished: boolean;
  /** Files that were there already. */
  reused: number;
  file?: LatentsFile;
}

/**
 * @throws TransfusionError LATENTS_FOREIGN: the folder has latents of other pictures, or of another autoencoder;
 *   OUTPUT_UNWRITABLE
 */
export async function encodeLatents(options: EncodeOptions): Promise<EncodeResult> {
  const { backend, codec: stored, images, flip, folder, signal, communicator } = options;
  if (stored.config.kind === 'pixels' || images.length === 0) {
    throw new TransfusionError({ code: 'LATENTS_NOTHING', message: 'there are no latents to encode' });
  }
  checkOneSize(images);
  const autoencoder = withoutScale(stored.config.autoencoder);
  const config = { ...stored.config, autoencoder } as typeof stored.config;
  const codec: ImageCodec = openCodec({ ...stored, backend, config });
  try {
    const { height, width } = images[0];
    const shape = codec.latentShape({ height, width });
    const identity = codecIdentity(stored);
    await checkWritableFile(join(folder, LATENTS_FILE));
    if (isFirst(communicator)) await removeTemporaries(folder);
    const meter = new LatentMeter(shape.channels);
    const shards = Math.ceil(images.length / SHARD_IMAGES);
    let reused = 0;
    const shard = (index: number) => {
      const own = images.slice(index * SHARD_IMAGES, (index + 1) * SHARD_IMAGES);
      return { own, path: join(folder, shardFile(index)) };
    };
    const ensure = async (index: number) => {
      const { own, path } = shard(index);
      // Pixels of views are computed whenever they are asked for.
      const images = own.map(({ width, height, name, pixels }) => ({ width, height, name, pixels }));
      const written = shardIdentity(identity, images, flip);
      if (await hasShard(path, written)) reused++;
      else await writeShard(path, { codec, images, flip, shape, identity: written });
    };
    if (communicator) {
      // Nobody writes before the first one has tidied up.
      await communicator.barrier({ patient: true });
      for (let index = communicator.rank; index < shards && !signal.aborted; index += communicator.size) {
        await ensure(index);
        options.onProgress?.(Math.min(images.length, (index + 1) * SHARD_IMAGES));
      }
      const counts = await gatherNumbers(communicator, Float64Array.of(reused, signal.aborted ? 1 : 0));
      const [all, stopped] = [0, 1].map((which) => counts.filter((_, i) => i % 2 === which).reduce((a, b) => a + b));
      if (stopped > 0 || !isFirst(communicator)) return { finished: stopped === 0, reused: all };
      reused = all - shards;
    }
    for (let index = 0; index < shards; index++) {
      if (signal.aborted) return { finished: false, reused };
      await ensure(index);
      const { own, path } = shard(index);
      const expected = { images: own.length, variants: flip ? 2 : 1, shape };
      for (const { variants } of await readShard(path, expected)) for (const each of variants) meter.add(each);
      options.onProgress?.(Math.min(images.length, (index + 1) * SHARD_IMAGES));
    }
    const file: LatentsFile = {
      ...{ format: 'transfusion-latents', version: 2, identity, images: images.length, shardImages: SHARD_IMAGES },
      ...{ variants: flip ? 2 : 1, shape, autoencoder: withScale(autoencoder, meter.read()) },
    };
    await writeOutputFile(join(folder, LATENTS_FILE), `${JSON.stringify(file, null, 2)}\n`);
    return { finished: true, reused, file };
  } finally {
    codec.dispose();
  }
}

function isFirst(communicator: Communicator | undefined): boolean {
  return (communicator?.rank ?? 0) === 0;
}

/** @throws TransfusionError DATA_IMAGE_SIZE: a folder has latents of one shape */
function checkOneSize(images: readonly NamedPicture[]): void {
  const { name, width, height } = images[0];
  const other = images.find((image) => image.width !== width || image.height !== height);
  if (!other) return;
  throw new TransfusionError({
    code: 'DATA_IMAGE_SIZE',
    message: `a folder has latents of pictures of one size: ${name} is ${width} x ${height}, ${other.name} is ${other.width} x ${other.height}`,
    fix: 'load them with one size; a run without a folder of latents encodes pictures of any sizes by itself',
  });
}

/** What a killed run left half written. */
async function removeTemporaries(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) {
    if (/^\.latents(-\d{5}\.safetensors|\.json)\..*\.tmp$/.test(name)) await rm(join(folder, name), { force: true });
  }
}

/** @throws TransfusionError LATENTS_FOREIGN */
async function hasShard(path: string, identity: string): Promise<boolean> {
  const file = await SafetensorsFile.open(path).catch((error: unknown) => {
    if (TransfusionError.isInstance(error) && error.code === 'CHECKPOINT_MISSING') return undefined;
    throw error;
  });
  if (!file) return false;
  await file.close();
  if (file.metadata.identity === identity) return true;
  throw new TransfusionError({
    code: 'LATENTS_FOREIGN',
    message: `${path} has latents of other pictures, or of another autoencoder`,
    fix: 'name another folder, or remove this one',
  });
}

async function writeShard(
  path: string,
  options: {
    codec: ImageCodec;
    images: readonly NamedPicture[];
    flip: boolean;
    shape: LatentShape;
    identity: string;
  },
): Promise<void> {
  const { codec, images, flip, shape, identity } = options;
  const all = await encodeVariants(codec, images, flip);
  const dimensions = [images.length, flip ? 2 : 1, shape.height, shape.width, shape.channels];
  const tensors = new Map<string, TensorData>([
    ['mean', { shape: dimensions, data: joined(all.flat().map(({ mean }) => mean)) }],
    ['picture', { shape: [images.length, HASH_BYTES], data: new Uint8Array(Buffer.concat(images.map(pictureHash))) }],
  ]);
  const deviations = all.flat().flatMap(({ deviation }) => (deviation ? [deviation] : []));
  if (deviations.length > 0) tensors.set('deviation', { shape: dimensions, data: joined(deviations) });
  await writeOutputFile(path, writeSafetensors(tensors, { identity }));
}

function joined(arrays: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(arrays.length * arrays[0].length);
  arrays.forEach((array, i) => all.set(array, i * array.length));
  return all;
}

/** The latents of a picture: one distribution for each variant. */
export interface PictureLatents {
  /** Its `pictureHash`, in hexadecimal digits. */
  picture: string;
  variants: LatentDistribution[];
}

/**
 * The latents of every picture of a file.
 * @param expected what the file should have; checked before anything of a size that it names is allocated
 * @throws TransfusionError LATENTS_FORMAT; CheckpointError
 */
export async function readShard(
  path: string,
  { images, variants, shape }: { images: number; variants: number; shape: LatentShape },
): Promise<PictureLatents[]> {
  const tensors = await readSafetensorsFile(path);
  const mean = tensors.get('mean');
  const deviation = tensors.get('deviation');
  const picture = tensors.get('picture');
  const dimensions = [images, variants, shape.height, shape.width, shape.channels].join();
  const isComplete = mean?.shape.join() === dimensions && picture?.shape.join() === `${images},${HASH_BYTES}`;
  if (!isComplete || (deviation && deviation.shape.join() !== dimensions)) {
    throw new TransfusionError({
      code: 'LATENTS_FORMAT',
      message: `${path} has no latents [${dimensions}]`,
      fix: 'remove it, and run `trainer encode` again',
    });
  }
  const length = shape.height * shape.width * shape.channels;
  const cut = (data: Float32Array, at: number) => data.subarray(at * length, (at + 1) * length);
  return Array.from({ length: images }, (_, i) => ({
    picture: Buffer.from(picture.data.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES)).toString('hex'),
    variants: Array.from({ length: variants }, (_, variant) => {
      const at = i * variants + variant;
      return { mean: cut(mean.data, at), ...(deviation ? { deviation: cut(deviation.data, at) } : {}) };
    }),
  }));
}
