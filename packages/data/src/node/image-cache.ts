/**
 * @file Decoded pictures in one file: a magic number, the key of what was decoded, the files that could not be as a line of
 * JSON, then the pixels of the others, 8 bits each.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { TransfusionError } from '@transfusion/tensor';
import { z } from 'zod';

const MAGIC = 'transfusion images 2\n';
const NEWLINE = 10;

/** What became of a list of files. */
export interface DecodedImages {
  /** Of each file, [size, size, 3]; undefined where it could not be read. */
  pixels: (Uint8Array | undefined)[];
  /** Why, by the file's number. */
  broken: { index: number; reason: string }[];
}

const brokenSchema = z.array(z.strictObject({ index: z.int().min(0), reason: z.string() }));

/** The cached pictures of `count` files; undefined where the cache is missing, damaged or of something else. */
export async function readImageCache(
  path: string,
  key: string,
  { count, size }: { count: number; size: number },
): Promise<DecodedImages | undefined> {
  const bytes = await readFile(path).catch(() => undefined);
  const start = Buffer.from(`${MAGIC}${key}\n`, 'latin1');
  if (bytes === undefined || !bytes.subarray(0, start.length).equals(start)) return undefined;
  const end = bytes.indexOf(NEWLINE, start.length);
  const broken = end < 0 ? undefined : parseBroken(bytes.toString('utf8', start.length, end), count);
  if (!broken) return undefined;
  const imageLength = size * size * 3;
  if (bytes.length !== end + 1 + (count - broken.length) * imageLength) return undefined;
  const missing = new Set(broken.map(({ index }) => index));
  let at = end + 1;
  const pixels = Array.from({ length: count }, (_, index) => {
    if (missing.has(index)) return undefined;
    at += imageLength;
    return new Uint8Array(bytes.subarray(at - imageLength, at));
  });
  return { pixels, broken };
}

function parseBroken(text: string, count: number): DecodedImages['broken'] | undefined {
  try {
    const broken = brokenSchema.parse(JSON.parse(text));
    const distinct = new Set(broken.map(({ index }) => index));
    return distinct.size === broken.length && broken.every(({ index }) => index < count) ? broken : undefined;
  } catch {
    return undefined;
  }
}

/** Writes the file whole or not at all. @throws TransfusionError DATA_CACHE_UNWRITABLE */
export async function writeImageCache(path: string, key: string, { pixels, broken }: DecodedImages): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const header = Buffer.from(`${MAGIC}${key}\n${JSON.stringify(broken)}\n`, 'utf8');
    await writeFile(temporary, Buffer.concat([header, ...pixels.filter((each) => each !== undefined)]));
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new TransfusionError({
      code: 'DATA_CACHE_UNWRITABLE',
      message: `cannot write ${path}: ${error instanceof Error ? error.message : error}`,
      fix: 'give a writable cache folder with enough space',
      cause: error,
    });
  }
}
