/** @file The shards that are meant by paths, addresses, patterns, folders and lists. */
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { reason, TransfusionError } from '@transfusion/core';
import { z } from 'zod';
import type { ByteSource } from '../stream/byte-source.js';
import { type HttpSourceOptions, openHttpSource } from '../stream/http-source.js';
import { openFileSource } from './file-source.js';
import { readInput } from './read-input.js';

/** The list of a folder of shards: that of `trainer shard`, or that of MosaicML's streaming. */
export const LIST_FILE = 'index.json';
const SHARD = /\.(tar|parquet|mds)$/i;
const MOST_SHARDS = 1_000_000;
const MOST_LIST_BYTES = 2 ** 27;
/** What most lists and indexes are shorter than. */
const FIRST_BYTES = 2 ** 16;

const fileName = z.string().regex(/^(?!\.{1,2}$)[^/\\\0]{1,255}$/, 'expected the name of a file in the same folder');

export const shardListSchema = z.strictObject({
  format: z.literal('transfusion-shards'),
  version: z.literal(1),
  samples: z.int().min(0),
  shards: z
    .array(
      z.strictObject({
        file: fileName,
        bytes: z.int().min(0),
        samples: z.int().min(0),
        index: fileName.describe('a file with the index of the shard'),
      }),
    )
    .max(MOST_SHARDS),
});

export type ShardList = z.output<typeof shardListSchema>;

/** Of MosaicML's streaming, what is needed of it. */
const mdsListSchema = z.object({
  shards: z
    .array(z.object({ format: z.literal('mds'), raw_data: z.object({ basename: fileName, bytes: z.int().min(0) }) }))
    .max(MOST_SHARDS),
});

export interface FoundShard {
  /** A path or an address. */
  name: string;
  /** The file of its index, where a list names one. */
  index?: string;
  /** What a list says. */
  bytes?: number;
}

/**
 * The shards, in the order in which they are given; of a folder or a pattern sorted by name.
 *
 * @param patterns paths and http(s) addresses, with `{000..049}` for numbers; of paths also `*` and `?` in the last part, and folders;
 *   or the address or path of an `index.json`
 * @throws TransfusionError DATA_SHARDS_MISSING, DATA_SHARDS_TWICE, DATA_SHARDS_LIST; DATA_UNREADABLE; DATA_SOURCE_*
 */
export async function findShards(patterns: readonly string[], http: HttpSourceOptions = {}): Promise<FoundShard[]> {
  const found: FoundShard[] = [];
  for (const pattern of patterns.flatMap((each) => withNumbers(each))) {
    if (isList(pattern)) found.push(...(await readList(pattern, http)));
    else if (isAddress(pattern)) found.push({ name: pattern });
    else found.push(...(await findPaths(pattern, http)));
  }
  const names = new Set<string>();
  for (const { name } of found) {
    if (names.has(name)) {
      throw new TransfusionError({
        code: 'DATA_SHARDS_TWICE',
        message: `${name} is there twice among the shards`,
        fix: 'name every shard once: its samples come once an epoch',
      });
    }
    names.add(name);
  }
  return found;
}

export function isAddress(name: string): boolean {
  return /^https?:\/\//i.test(name);
}

export function openSource(name: string, http: HttpSourceOptions = {}): Promise<ByteSource> {
  return isAddress(name) ? openHttpSource(name, http) : openFileSource(name);
}

/** `a-{08..11}.tar` as four names, with zeros in front as written. */
function withNumbers(pattern: string): string[] {
  const match = /\{(\d{1,12})\.\.(\d{1,12})\}/.exec(pattern);
  if (!match) return [pattern];
  const [range, first, last] = match;
  const count = Number(last) - Number(first) + 1;
  if (!(count >= 1 && count <= MOST_SHARDS)) {
    throw new TransfusionError({
      code: 'DATA_SHARDS_MISSING',
      message: `${pattern}: ${range} are ${Math.max(0, count)} numbers, expected 1 to ${MOST_SHARDS}`,
      fix: 'write the smaller number first: {000..049}',
    });
  }
  return Array.from({ length: count }, (_, i) => {
    const number = String(Number(first) + i).padStart(first.length, '0');
    return pattern.slice(0, match.index) + number + pattern.slice(match.index + range.length);
  }).flatMap((each) => withNumbers(each));
}

function isList(name: string): boolean {
  return new RegExp(`(^|[/\\\\])${LIST_FILE.replace('.', '\\.')}(\\?[^/]*)?$`).test(name);
}

async function findPaths(pattern: string, http: HttpSourceOptions): Promise<FoundShard[]> {
  const last = pattern.replace(/^.*[/\\]/, '');
  if (/[*?]/.test(last)) {
    const folder = dirname(pattern);
    const names = await readInput('folder of shards', folder, () => readdir(folder));
    const parts = last
      .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '[^/]*')
      .replaceAll('?', '[^/]');
    const matching = names.filter((name) => new RegExp(`^${parts}$`).test(name) && !name.startsWith('.')).sort();
    if (matching.length === 0) throw nothingFound(pattern, `no file of ${folder} is named so`);
    return matching.map((name) => ({ name: join(folder, name) }));
  }
  const isFolder = (await readInput('shard', pattern, () => stat(pattern))).isDirectory();
  if (!isFolder) return [{ name: pattern }];
  const names = await readInput('folder of shards', pattern, () => readdir(pattern));
  if (names.includes(LIST_FILE)) return readList(join(pattern, LIST_FILE), http);
  const shards = names.filter((name) => SHARD.test(name) && !name.startsWith('.')).sort();
  if (shards.length === 0) throw nothingFound(pattern, 'it has no .tar, .parquet or .mds file');
  return shards.map((name) => ({ name: join(pattern, name) }));
}

function nothingFound(pattern: string, why: string): TransfusionError {
  return new TransfusionError({
    code: 'DATA_SHARDS_MISSING',
    message: `${pattern}: ${why}`,
    fix: 'give shards by their paths or addresses, such as shards/name-{000..049}.tar, or a folder of them',
  });
}

async function readList(name: string, http: HttpSourceOptions): Promise<FoundShard[]> {
  const json = await readJson(name, http);
  const beside = (file: string) =>
    isAddress(name) ? new URL(encodeURIComponent(file), name).href : join(dirname(name), file);
  const own = shardListSchema.safeParse(json);
  if (own.success) {
    return own.data.shards.map(({ file, bytes, index }) => ({ name: beside(file), bytes, index: beside(index) }));
  }
  const mds = mdsListSchema.safeParse(json);
  if (mds.success) {
    return mds.data.shards.map(({ raw_data: { basename, bytes } }) => ({ name: beside(basename), bytes }));
  }
  const isOwn = (json as { format?: unknown } | null)?.format === 'transfusion-shards';
  const [issue] = (isOwn ? own : mds).error.issues;
  throw new TransfusionError({
    code: 'DATA_SHARDS_LIST',
    message: `${name} is no list of shards that can be read here: ${issue.path.join('.')}: ${issue.message}`,
    fix: 'give the index.json of `trainer shard`, or of MDS shards that are not compressed; or the shards themselves',
  });
}

/** A file of JSON, at a path or an address. @throws TransfusionError DATA_SHARDS_LIST; DATA_UNREADABLE; DATA_SOURCE_* */
export async function readJson(name: string, http: HttpSourceOptions = {}): Promise<unknown> {
  const source = await openSource(name, { ...http, firstBytes: FIRST_BYTES });
  const problem = (what: string, cause?: unknown) =>
    new TransfusionError({ code: 'DATA_SHARDS_LIST', message: `${name}: ${what}`, fix: 'write it anew', cause });
  if (source.size > MOST_LIST_BYTES) throw problem(`it has ${source.size} bytes, the most is ${MOST_LIST_BYTES}`);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(await source.read(0, source.size)));
  } catch (error) {
    if (TransfusionError.isInstance(error)) throw error;
    throw problem(`it is no JSON: ${reason(error)}`, error);
  }
}
