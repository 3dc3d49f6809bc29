/** @file Picture files to pixels: broken ones counted, named and skipped; all kept in a cache file. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { TransfusionError } from '@transfusion/core';
import { type RgbImage, toBytes } from '../image/rgb-image.js';
import type { BrokenFile } from '../image-dataset.js';
import type { ImageSize } from '../image-size.js';
import { tooManyBroken } from '../too-many-broken.js';
import { type DecodedImage, type DecodedImages, readImageCache, writeImageCache } from './image-cache.js';
import { decodeFittedImage, readFittedImage } from './read-image.js';

/** Raised when decoding or resizing changes, so that old caches are not read. */
const CACHE_VERSION = 3;

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
  /** Default: `readImage` of this package, which needs the package sharp. */
  readImage?: ReadImage;
  /** Where decoded pictures are kept for the next start; default: nowhere. */
  cacheFolder?: string;
  /** More than this share of broken pictures stops the loading; default 0.01. */
  allowBroken?: number;
  onProgress?: (done: number, total: number) => void;
}

/**
 * The pixels of every file, in order; undefined where a file is broken.
 *
 * @param options.name the cache file's name begins with it
 * @param options.key what pictures depend on besides their paths, such as a package's version
 * @param options.unusable pictures found broken before, not among `files`; they count as broken
 * @throws TransfusionError DATA_BROKEN_FILES, DATA_CACHE_UNWRITABLE, DATA_SHARP_MISSING, DATA_SHARP_BROKEN; DATA_IMAGE_SHAPE,
 *   DATA_IMAGE_NOT_FINITE: `readImage` gave something else than an image
 */
export async function loadImages(
  options: LoadImagesOptions & {
    files: readonly string[];
    name: string;
    key: string;
    unusable?: readonly BrokenFile[];
    /** Of pictures that are no files of their own: their bytes, for which `readImage` is not asked. */
    contentOf?: (path: string) => Uint8Array | undefined;
    /** In place of `size`: each picture gets the one that is nearest in aspect ratio, `readImage` must not be given. */
    sizes?: readonly ImageSize[];
  },
): Promise<{ decoded: (DecodedImage | undefined)[]; broken: BrokenFile[] }> {
  const { files, size, name, cacheFolder, unusable = [], readImage, allowBroken = 0.01 } = options;
  const sizes = options.sizes ?? [{ width: size, height: size }];
  const check = (broken: readonly BrokenFile[]) => {
    const pictures = files.length + unusable.length;
    if (broken.length > allowBroken * pictures) throw tooManyBroken('pictures', broken, pictures, allowBroken);
  };
  check(unusable);
  const key = createHash('sha256')
    .update(JSON.stringify([CACHE_VERSION, options.sizes ?? size, readImage !== undefined, options.key, files]))
    .digest('hex');
  const cacheFile =
    cacheFolder && join(cacheFolder, `${name}-${options.sizes ? 'sizes' : size}-${key.slice(0, 16)}.bin`);
  const cached = cacheFile ? await readImageCache(cacheFile, key, { count: files.length, sizes }) : undefined;
  const decoded = cached ?? (await decodeAll(options, sizes));
  const broken = [...unusable, ...decoded.broken.map(({ index, reason }) => ({ path: files[index], reason }))];
  check(broken);
  if (cacheFile && !cached) await writeImageCache(cacheFile, key, { ...decoded, sizes });
  return { decoded: decoded.images, broken };
}

async function decodeAll(
  options: LoadImagesOptions & { files: readonly string[]; contentOf?: (path: string) => Uint8Array | undefined },
  sizes: readonly ImageSize[],
): Promise<DecodedImages> {
  const { files, size, readImage, contentOf, onProgress } = options;
  const read = async (path: string): Promise<RgbImage> => {
    const content = contentOf?.(path);
    if (content) return decodeFittedImage(content, sizes, { where: path });
    if (!readImage) return readFittedImage(path, sizes);
    return { width: size, height: size, data: checkImage(await readImage(path, size), path, size) };
  };
  const decoded: DecodedImages = { images: [], broken: [] };
  for (const [index, path] of files.entries()) {
    try {
      const { width, height, data } = await read(path);
      decoded.images.push({ width, height, pixels: toBytes(data) });
    } catch (error) {
      if (!TransfusionError.isInstance(error) || !error.code.startsWith('IMAGE_')) throw error;
      decoded.images.push(undefined);
      decoded.broken.push({ index, reason: error.message.split('\n', 1)[0] });
    }
    onProgress?.(index + 1, files.length);
  }
  return decoded;
}

/** A reader of one's own may give anything. */
function checkImage(image: Float32Array, path: string, size: number): Float32Array {
  const wrong = (code: string, what: string) =>
    new TransfusionError({
      code,
      message: `readImage gave ${what} for ${path}`,
      fix: 'mend the `readImage` that was given',
    });
  if (image.length !== size * size * 3) {
    throw wrong('DATA_IMAGE_SHAPE', `${image.length} values instead of [${size}, ${size}, 3] = ${size * size * 3}`);
  }
  const bad = image.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw wrong('DATA_IMAGE_NOT_FINITE', `${image[bad]} at value ${bad}`);
  return image;
}
