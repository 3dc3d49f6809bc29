/** @file Any dataset of pictures as tar shards that WebDataset reads too, with their indexes and a list of them. */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { reason, TransfusionError } from '@transfusion/core';
import { encodePng } from '../image/rgb-image.js';
import { type CaptionedImage, imageOf } from '../image-dataset.js';
import { memorySource } from '../stream/byte-source.js';
import { indexTar } from '../stream/web-dataset.js';
import { LIST_FILE, type ShardList } from './find-shards.js';

/** Digits of a shard's number. */
const DIGITS = 6;

export interface WriteShardsOptions {
  images: readonly CaptionedImage[];
  folder: string;
  /** The beginning of the shards' names: letters, digits, `_`, `-` and `.`. */
  name: string;
  /** Default 1,000. */
  samplesPerShard?: number;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

/**
 * Writes NAME-000000.tar and so on, each sample as a PNG file, its caption as text where it has one, and JSON with its group, split and
 * other captions; beside each its index, and in the end `index.json`, the list. The same pictures give the same bytes. A folder has one set
 * of shards: that of before is replaced.
 *
 * @throws TransfusionError DATA_SHARDS_EMPTY, DATA_SHARDS_OPTIONS, DATA_SHARDS_UNWRITABLE; what `signal` was aborted with
 */
export async function writeShards(options: WriteShardsOptions): Promise<ShardList> {
  const { images, folder, name, samplesPerShard = 1000, signal, onProgress } = options;
  check(options);
  const { packTar } = await import('modern-tar');
  const shards: ShardList['shards'] = [];
  try {
    await mkdir(folder, { recursive: true });
    // While shards are written, no list speaks of others.
    await rm(join(folder, LIST_FILE), { force: true });
    for (let first = 0; first < images.length; first += samplesPerShard) {
      signal?.throwIfAborted();
      const some = images.slice(first, first + samplesPerShard);
      const stem = `${name}-${String(shards.length).padStart(DIGITS, '0')}`;
      const [file, index] = [`${stem}.tar`, `${stem}.index.json`];
      const bytes = await packTar(some.flatMap((image, i) => entriesOf(image, first + i)));
      const found = await indexTar(memorySource(file, bytes));
      await writeWhole(join(folder, file), bytes);
      await writeWhole(join(folder, index), `${JSON.stringify(found)}\n`);
      shards.push({ file, bytes: bytes.length, samples: some.length, index });
      onProgress?.(Math.min(images.length, first + samplesPerShard), images.length);
    }
    await removeOthers(folder, name, shards.length);
    const list: ShardList = { format: 'transfusion-shards', version: 1, samples: images.length, shards };
    await writeWhole(join(folder, LIST_FILE), `${JSON.stringify(list, null, 2)}\n`);
    return list;
  } catch (error) {
    if (TransfusionError.isInstance(error) || signal?.aborted) throw error;
    throw new TransfusionError({
      code: 'DATA_SHARDS_UNWRITABLE',
      message: `cannot write shards into ${folder}: ${reason(error)}`,
      fix: 'give a folder that can be written, with enough space',
      cause: error,
    });
  }
}

function check({ images, name, samplesPerShard = 1000 }: WriteShardsOptions): void {
  const wrong = (code: string, message: string, fix: string) => new TransfusionError({ code, message, fix });
  if (images.length === 0)
    throw wrong('DATA_SHARDS_EMPTY', 'there are no pictures to write', 'give a dataset of pictures');
  if (!/^[\w.-]{1,200}$/.test(name) || name.startsWith('.')) {
    throw wrong('DATA_SHARDS_OPTIONS', `name is ${JSON.stringify(name)}`, 'give letters, digits, "_", "-" and "."');
  }
  if (!(Number.isInteger(samplesPerShard) && samplesPerShard >= 1 && samplesPerShard <= 1_000_000)) {
    throw wrong(
      'DATA_SHARDS_OPTIONS',
      `samplesPerShard is ${samplesPerShard}`,
      'give a whole number from 1 to 1,000,000',
    );
  }
}

/** All files of a sample have one key, its number: names of pictures may have dots, and be there twice. */
function entriesOf(image: CaptionedImage, number: number) {
  const { caption, otherCaptions, name, group, split, heldOutAs } = image;
  const key = String(number).padStart(9, '0');
  const json = JSON.stringify({ name, caption, otherCaptions, group, split, heldOutAs });
  const entry = (field: string, body: Uint8Array) => ({
    header: { name: `${key}.${field}`, size: body.length, mtime: new Date(0), mode: 0o644, type: 'file' as const },
    body,
  });
  const encoder = new TextEncoder();
  return [
    entry('png', encodePng(imageOf(image))),
    ...(caption === undefined ? [] : [entry('txt', encoder.encode(caption))]),
    entry('json', encoder.encode(json)),
  ];
}

/** Shards of before that would be taken for some of these. */
async function removeOthers(folder: string, name: string, count: number): Promise<void> {
  for (const file of await readdir(folder)) {
    if (!file.startsWith(`${name}-`)) continue;
    const number = /^-(\d{6,})\.(tar|index\.json)$/.exec(file.slice(name.length))?.[1];
    if (number !== undefined && Number(number) >= count) await rm(join(folder, file));
  }
}

/** Whole or not at all. */
async function writeWhole(path: string, contents: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, contents, { flag: 'wx' });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
}
