/** @file Picture files to pixels of one size: broken ones counted, named and skipped; all kept in a cache file. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TransfusionError } from '@transfusion/tensor';
import { decodePng } from '../image/decode-png.js';
import { squareImage } from '../image/resize.js';
import { toBytes } from '../image/rgb-image.js';
import type { BrokenFile } from '../image-dataset.js';
import { type DecodedImages, readImageCache, writeImageCache } from './image-cache.js';

/** Raised when decoding or resizing changes, so that old caches are not read. */
const CACHE_VERSION = 2;

/**
 * Reads a picture file: its centre, size x size, [size, size, 3] in [-1, 1], on white.
 * @throws TransfusionError IMAGE_UNREADABLE, IMAGE_TOO_LARGE: the file is broken
 */
export type ReadImage = (path: string, size: number) => Promise<Float32Array>;

/** What all datasets of picture files take. */
export interface LoadImagesOptions {
  /** Side of the pictures, in pixels. */
  size: number;
  /** Only the first so many pictures; default: all. */
  count?: number;
  /** Reads what is not PNG. Default: nothing else can be read. */
  readImage?: ReadImage;
  /** Where decoded pictures are kept for the next start; default: nowhere. */
  cacheFolder?: string;
  /** More than this share of broken pictures stops the loading; default 0.01. */
  allowBroken?: number;
  onProgress?: (done: number, total: number) => void;
}

/** PNG files, with nothing but this package. */
export const readPng: ReadImage = async (path, size) => {
  const bytes = await readFile(path).catch((error: Error) => {
    throw unreadable(path, error.message, error);
  });
  return squareImage(decodePng(bytes, { where: path }), size).data;
};

/**
 * The pixels of every file, in order; undefined where a file is broken.
 *
 * @param options.name the cache file's name begins with it
 * @param options.key what pictures depend on besides their paths, such as a package's version
 * @param options.unusable pictures found broken before, not among `files`; they count as broken
 * @throws TransfusionError DATA_BROKEN_FILES, DATA_CACHE_UNWRITABLE
 */
export async function loadImages(
  options: LoadImagesOptions & {
    files: readonly string[];
    name: string;
    key: string;
    unusable?: readonly BrokenFile[];
  },
): Promise<{ pixels: (Uint8Array | undefined)[]; broken: BrokenFile[] }> {
  const { files, size, name, cacheFolder, unusable = [], readImage, allowBroken = 0.01 } = options;
  const check = (broken: readonly BrokenFile[]) => {
    const pictures = files.length + unusable.length;
    if (broken.length > allowBroken * pictures) throw tooManyBroken(broken, pictures, allowBroken);
  };
  check(unusable);
  const key = createHash('sha256')
    .update(JSON.stringify([CACHE_VERSION, size, readImage !== undefined, options.key, files]))
    .digest('hex');
  const cacheFile = cacheFolder && join(cacheFolder, `${name}-${size}-${key.slice(0, 16)}.bin`);
  const cached = cacheFile ? await readImageCache(cacheFile, key, { count: files.length, size }) : undefined;
  const decoded = cached ?? (await decodeAll(options));
  const broken = [...unusable, ...decoded.broken.map(({ index, reason }) => ({ path: files[index], reason }))];
  check(broken);
  if (cacheFile && !cached) await writeImageCache(cacheFile, key, decoded);
  return { pixels: decoded.pixels, broken };
}

async function decodeAll(options: LoadImagesOptions & { files: readonly string[] }): Promise<DecodedImages> {
  const { files, size, readImage, onProgress } = options;
  const decoded: DecodedImages = { pixels: [], broken: [] };
  for (const [index, path] of files.entries()) {
    try {
      const read = /\.png$/i.test(path) ? readPng : (readImage ?? refuse);
      decoded.pixels.push(toBytes(await read(path, size)));
    } catch (error) {
      if (!TransfusionError.isInstance(error) || !error.code.startsWith('IMAGE_')) throw error;
      decoded.pixels.push(undefined);
      decoded.broken.push({ index, reason: error.message.split('\n', 1)[0] });
    }
    onProgress?.(index + 1, files.length);
  }
  return decoded;
}

const refuse: ReadImage = async (path) => {
  throw unreadable(path, 'only PNG files can be read; give `readImage` for others');
};

function unreadable(path: string, why: string, cause?: unknown): TransfusionError {
  return new TransfusionError({ code: 'IMAGE_UNREADABLE', message: `${path}: ${why}`, cause });
}

function tooManyBroken(broken: readonly BrokenFile[], pictures: number, allowed: number): TransfusionError {
  const most = 5;
  const named = broken.slice(0, most).map(({ path, reason }) => `\n  ${path}: ${reason}`);
  const more = broken.length > most ? `\n  and ${broken.length - most} more` : '';
  return new TransfusionError({
    code: 'DATA_BROKEN_FILES',
    message: `${broken.length} of ${pictures} pictures cannot be used, more than the allowed share of ${allowed}:${named.join('')}${more}`,
    fix: 'repair or remove them, or allow more (data.allowBroken)',
  });
}
