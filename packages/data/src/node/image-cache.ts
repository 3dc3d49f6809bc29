/**
 * @file Decoded pictures in one file: a magic number, the key of what was decoded, the files that could not be as a line of
 * JSON, then the pixels of the others, 8 bits each; where there are several sizes, behind a byte that says which.
 */
import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { type ImageSize, isSameSize } from '../image-size.js';
import { cacheUnwritable } from './cache-unwritable.js';

const MAGIC = 'transfusion images 2\n';
const NEWLINE = 10;

export interface DecodedImage extends ImageSize {
  /** [height, width, 3], from 0 to 255. */
  pixels: Uint8Array;
}

/** What became of a list of files. */
export interface DecodedImages {
  /** Of each file; undefined where it could not be read. */
  images: (DecodedImage | undefined)[];
  /** Why, by the file's number. */
  broken: { index: number; reason: string }[];
}

const brokenSchema = z.array(z.strictObject({ index: z.int().min(0), reason: z.string() }));

/** Lists of broken files are no longer than this. */
const MOST_HEADER_BYTES = 2 ** 24;

interface ExpectedImages {
  count: number;
  /** That a picture may have, 256 at most. */
  sizes: readonly ImageSize[];
}

/** The cached pictures of `count` files; undefined where the cache is missing, damaged or of something else. */
export async function readImageCache(
  path: string,
  key: string,
  expected: ExpectedImages,
): Promise<DecodedImages | undefined> {
  // Piece by piece: the file may be larger than what can be read in one go.
  const file = await open(path, 'r').catch(() => undefined);
  try {
    return file && (await readImages(file, key, expected));
  } catch {
    return undefined;
  } finally {
    await file?.close();
  }
}

async function readImages(
  file: FileHandle,
  key: string,
  { count, sizes }: ExpectedImages,
): Promise<DecodedImages | undefined> {
  const { size: bytes } = await file.stat();
  const header = await readBytes(file, 0, Math.min(bytes, MOST_HEADER_BYTES));
  const start = Buffer.from(`${MAGIC}${key}\n`, 'latin1');
  if (!header.subarray(0, start.length).equals(start)) return undefined;
  const end = header.indexOf(NEWLINE, start.length);
  const broken = end < 0 ? undefined : parseBroken(header.toString('utf8', start.length, end), count);
  if (!broken) return undefined;
  const missing = new Set(broken.map(({ index }) => index));
  const images: DecodedImages['images'] = [];
  let at = end + 1;
  for (let index = 0; index < count; index++) {
    if (missing.has(index)) {
      images.push(undefined);
      continue;
    }
    const which = sizes.length === 1 ? 0 : (await readBytes(file, at++, 1))[0];
    const { width, height } = sizes[which];
    const length = width * height * 3;
    // Whatever the file says, no more is allocated than it has.
    if (at + length > bytes) return undefined;
    images.push({ width, height, pixels: new Uint8Array(await readBytes(file, at, length)) });
    at += length;
  }
  return at === bytes ? { images, broken } : undefined;
}

/** @throws Error: the file ends before */
async function readBytes(file: FileHandle, begin: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(bytes, at, length - at, begin + at);
    if (bytesRead === 0) throw new Error('the file became shorter while it was read');
    at += bytesRead;
  }
  return bytes;
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
export async function writeImageCache(
  path: string,
  key: string,
  { images, broken, sizes }: DecodedImages & Pick<ExpectedImages, 'sizes'>,
): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, 'wx');
    try {
      await file.appendFile(`${MAGIC}${key}\n${JSON.stringify(broken)}\n`);
      for (const image of images) {
        if (!image) continue;
        if (sizes.length > 1) await file.appendFile(Uint8Array.of(sizes.findIndex((size) => isSameSize(size, image))));
        await file.appendFile(image.pixels);
      }
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw cacheUnwritable(path, error);
  }
}
