/** @file Shards on a disk or a server as a stream of pictures; their indexes are made at the first use, and kept. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TransfusionError } from '@transfusion/core';
import { toBytes } from '../image/rgb-image.js';
import type { HttpSourceOptions } from '../stream/http-source.js';
import { ImageStream, type ImageStreamOptions } from '../stream/image-stream.js';
import { limited } from '../stream/limited.js';
import { openShard, type Shard } from '../stream/open-shard.js';
import { INDEX_VERSION, type ShardIndex } from '../stream/shard-index.js';
import { cacheUnwritable } from './cache-unwritable.js';
import { type FoundShard, findShards, openSource, readJson } from './find-shards.js';
import { decodeFittedImage } from './read-image.js';

/** Shards that are opened at once. */
const OPENED_AT_ONCE = 8;

export interface OpenImageStreamOptions extends Omit<ImageStreamOptions, 'shards' | 'decode'> {
  /**
   * Paths and http(s) addresses of tar archives (WebDataset), Parquet or MDS files, with `{000..049}` for numbers; of paths also `*` and
   * `?` in the last part, and folders; or an `index.json`.
   */
  shards: readonly string[];
  /**
   * The column, field of JSON or ending of files with the caption; default: `caption`, `text`, and of files `txt` too. Indexes of an
   * `index.json` are not taken then.
   */
  captionField?: string;
  /** Where indexes are kept that no `index.json` names; default: nowhere, and they are made at every start. */
  cacheFolder?: string;
  /** Default: `decodeFittedImage`, which needs the package sharp. */
  decode?: ImageStreamOptions['decode'];
  /** For addresses. */
  http?: HttpSourceOptions;
  /** Shards whose index is there, of all; and what of a shard was gone through to make its index, from 0 to 1. */
  onProgress?: (done: number, total: number) => void;
}

export interface OpenedImageStream {
  stream: ImageStream;
  /** SHA-256 of the shards' names and indexes: another one where a shard is added, gone, or of other samples. */
  hash: string;
}

/**
 * Opens shards: lists them, reads or makes the index of each, and checks that it is of the shard that is there.
 *
 * @throws TransfusionError DATA_SHARDS_*, DATA_SHARD_*: lists, indexes and shards are not what they should be; DATA_SOURCE_*: bytes cannot be
 *   had; DATA_BROKEN_FILES, DATA_CACHE_UNWRITABLE, DATA_UNREADABLE
 */
export async function openImageStream(options: OpenImageStreamOptions): Promise<OpenedImageStream> {
  const { http, size } = options;
  const found = await findShards(options.shards, http);
  const shards = await openAll(found, options);
  const hash = createHash('sha256');
  shards.forEach(({ index }, i) => {
    hash.update(JSON.stringify([found[i].name.replace(/^.*[/\\]/, ''), hashOf(index)]));
  });
  const sizes = [{ width: size, height: size }];
  const decode: ImageStreamOptions['decode'] = async (bytes, where) =>
    toBytes((await decodeFittedImage(bytes, sizes, { where })).data);
  return { stream: new ImageStream({ decode, ...options, shards }), hash: hash.digest('hex') };
}

/** In order, some at once: of a server each costs a request or two. */
async function openAll(found: readonly FoundShard[], options: OpenImageStreamOptions): Promise<Shard[]> {
  const { http, onProgress } = options;
  const opening = limited(OPENED_AT_ONCE);
  let done = 0;
  let hasFailed = false;
  return Promise.all(
    found.map((each) =>
      opening(async () => {
        if (hasFailed) throw new Error('another shard could not be opened');
        let own = 0;
        const onShare = (share: number) => {
          done += share - own;
          own = share;
          onProgress?.(done, found.length);
        };
        try {
          http?.signal?.throwIfAborted();
          const shard = await openFound(each, options, onShare);
          onShare(1);
          return shard;
        } catch (error) {
          hasFailed = true;
          throw error;
        }
      }),
    ),
  );
}

/** What it says, whoever wrote it: the order of fields does not count. */
function hashOf({ kind, bytes, groups = [], samples }: ShardIndex): string {
  const hash = createHash('sha256').update(
    JSON.stringify([kind, bytes, groups.map((group) => [group.rows, group.bytes])]),
  );
  for (const { key, at, caption, otherCaptions, group, split, heldOutAs, problem } of samples) {
    hash.update(JSON.stringify([key, at, caption, otherCaptions, group, split, heldOutAs, problem]));
  }
  return hash.digest('hex');
}

async function openFound(
  { name, bytes, index: listed }: FoundShard,
  { cacheFolder, captionField, http }: OpenImageStreamOptions,
  onShare: (share: number) => void,
): Promise<Shard> {
  const source = await openSource(name, http);
  if (bytes !== undefined && bytes !== source.size) {
    throw new TransfusionError({
      code: 'DATA_SHARDS_CHANGED',
      message: `${name} has ${source.size} bytes, and its list says ${bytes}`,
      fix: 'fetch it anew, or write the shards anew: they belong to their index.json',
    });
  }
  const onBytes = (done: number) => onShare(Math.min(1, done / Math.max(1, source.size)));
  if (listed !== undefined && captionField === undefined) {
    return openShard(source, { index: await readJson(listed, http), onBytes });
  }
  const key = createHash('sha256').update(
    JSON.stringify([INDEX_VERSION, name, source.size, source.version, captionField]),
  );
  const kept =
    cacheFolder && source.version !== '' && join(cacheFolder, `shard-${key.digest('hex').slice(0, 32)}.json`);
  if (!kept) return openShard(source, { captionField, onBytes });
  const json = await readFile(kept, 'utf8')
    .then(JSON.parse)
    .catch(() => undefined);
  // A kept index that does not read is made anew.
  const known = json === undefined ? undefined : await openShard(source, { index: json }).catch(() => undefined);
  if (known) return known;
  const shard = await openShard(source, { captionField, onBytes });
  await writeWhole(kept, JSON.stringify(shard.index), cacheFolder);
  return shard;
}

/** Whole or not at all. @throws TransfusionError DATA_CACHE_UNWRITABLE */
async function writeWhole(path: string, text: string, folder: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(temporary, text, { flag: 'wx' });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw cacheUnwritable(path, error);
  }
}
