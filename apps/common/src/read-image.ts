/** @file Image files of any kind to what a model sees. */
import { readFile, stat } from 'node:fs/promises';
import { fromBytes, type RgbImage, squareImage } from '@transfusion/data';
import { TransfusionError } from '@transfusion/tensor';
import sharp from 'sharp';

const MOST_BYTES = 256 * 2 ** 20;
const MOST_SIDE = 32_768;
const MOST_PIXELS = 100_000_000;
/** Larger images are first shrunk to this shorter side, to bound the memory of what follows. */
const SHORTER_SIDE = 1024;

/**
 * The image of a file, cropped to its centre and resized to size x size as training does: [size, size, 3] in [-1, 1]. Of
 * animations the first frame; transparent parts on white; turned as its EXIF data says; any colour space as sRGB.
 *
 * @throws TransfusionError IMAGE_UNREADABLE: missing, empty, damaged, of an unknown kind; IMAGE_TOO_LARGE, before any
 *   memory of the size that the file declares is allocated
 */
export async function readImage(path: string, size: number): Promise<Float32Array> {
  const bytes = await readBytes(path);
  const shorterSide = await checkHeader(path, bytes);
  try {
    const upright = openImage(bytes).autoOrient();
    const { data, info } = await (shorterSide > SHORTER_SIDE
      ? upright.resize({ width: SHORTER_SIDE, height: SHORTER_SIDE, fit: 'outside' })
      : upright
    )
      .flatten({ background: 'white' })
      .toColourspace('srgb')
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const image: RgbImage = { width: info.width, height: info.height, data: fromBytes(asColour(data, info.channels)) };
    return squareImage(image, size).data;
  } catch (error) {
    throw unreadable(path, reason(error), error);
  }
}

async function readBytes(path: string): Promise<Buffer> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) throw unreadable(path, 'it is a folder');
    if (found.size > MOST_BYTES) throw tooLarge(path, `it has ${found.size} bytes, the most is ${MOST_BYTES}`);
    const bytes = await readFile(path);
    if (bytes.length === 0) throw unreadable(path, 'it is empty (0 bytes)');
    return bytes;
  } catch (error) {
    if (TransfusionError.isInstance(error)) throw error;
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw unreadable(path, isMissing ? 'there is no such file' : reason(error), error);
  }
}

/** Returns the image's shorter side. */
async function checkHeader(path: string, bytes: Buffer): Promise<number> {
  const { width, height } = await openImage(bytes)
    .metadata()
    .catch((error: unknown) => {
      throw unreadable(path, reason(error), error);
    });
  if (Math.max(width, height) > MOST_SIDE || width * height > MOST_PIXELS) {
    throw tooLarge(
      path,
      `it is ${width} x ${height} pixels; the most is ${MOST_SIDE} a side and ${MOST_PIXELS / 1e6} million in all`,
    );
  }
  return Math.min(width, height);
}

/** The limit is checked by `checkHeader`, which says more than sharp does. */
function openImage(bytes: Buffer) {
  return sharp(bytes, { failOn: 'error', limitInputPixels: false });
}

/** Gray images may come out with one channel. */
function asColour(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return data;
  return Uint8Array.from({ length: (data.length / channels) * 3 }, (_, i) => data[Math.floor(i / 3) * channels]);
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function unreadable(path: string, why: string, cause?: unknown): TransfusionError {
  return new TransfusionError({
    code: 'IMAGE_UNREADABLE',
    message: `cannot read the image ${path}: ${why}`,
    fix: 'give a PNG, JPEG, WebP, GIF, AVIF, TIFF or SVG file',
    cause,
  });
}

function tooLarge(path: string, why: string): TransfusionError {
  return new TransfusionError({ code: 'IMAGE_TOO_LARGE', message: `${path}: ${why}`, fix: 'make it smaller' });
}
