/** @file Picture files of any kind to what a model sees: the one reader of all datasets and apps in Node. */
import { readFile, stat } from 'node:fs/promises';
import { reason, TransfusionError } from '@transfusion/core';
import { describeFormat } from '../image/image-format.js';
import { checkImageSize } from '../image/image-limits.js';
import { checkPng, isPng, type PngLimits } from '../image/png-chunks.js';
import { fitLines, type ImageLines } from '../image/resize.js';
import { onWhite, type RgbImage } from '../image/rgb-image.js';
import { type ImageSize, nearestImageSize } from '../image-size.js';
import { loadSharp } from './load-sharp.js';
import { isCameraRaw } from './picture-names.js';

const MOST_BYTES = 256 * 2 ** 20;
/** What sharp's own build reads: where it fails on one of these, the file is damaged. */
const READABLE = /^an? (PNG|JPEG|GIF|WebP|AVIF|TIFF|SVG) file$/;
/** What is no picture at all: an archive, or the page that a download gave instead. */
const NO_PICTURE = /HTML|Git LFS|archive|PDF|PostScript|film|Parquet/;

/** Pixels as they are in the file. */
interface RawImage {
  width: number;
  height: number;
  /** 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA. */
  channels: number;
  /** [height, width, channels], from 0 to 255, or to 65,535. */
  samples: Uint8Array | Uint16Array;
}

/**
 * The image of a file, cropped to its centre and resized to size x size as training does: [size, size, 3] in [-1, 1]. PNG, JPEG,
 * WebP, GIF, AVIF, TIFF and SVG, whatever the file is called; of animations the first frame, of documents the first page;
 * transparent parts on white; turned as its EXIF data says; 16 bits per channel where a PNG or TIFF has them. Colours are sRGB:
 * a colour profile is applied, CMYK converted, PNG's gamma ignored.
 *
 * Needs the package sharp. PNG files without profile and orientation give `squareImage(decodePng(file), size)`, bit for bit.
 *
 * @param size side of the result, in pixels
 * @throws TransfusionError IMAGE_UNREADABLE: missing, empty, damaged, of another kind; IMAGE_TOO_LARGE: more than 32,768 pixels
 *   along a side, 100 million in all, or 256 MiB; both before any memory of the size that the file declares is allocated.
 *   DATA_SHARP_MISSING, DATA_SHARP_BROKEN; DATA_IMAGE_SIZE: `size` is no positive integer
 */
export async function readImage(path: string, size: number): Promise<Float32Array> {
  return (await readFittedImage(path, [{ width: size, height: size }])).data;
}

/** `readImage`, cropped and resized to that of `sizes` whose aspect ratio is nearest to the picture's. @throws as that */
export async function readFittedImage(path: string, sizes: readonly ImageSize[]): Promise<RgbImage> {
  const bytes = await readBytes(path);
  if (isCameraRaw(path) && describeFormat(bytes) === 'a TIFF file') throw otherKind(path, "a camera's raw file");
  return decodeFittedImage(bytes, sizes, { where: path });
}

/**
 * `readFittedImage` of the bytes of a file.
 *
 * @param options.where names the picture in errors
 * @param options.limits of the pixels that it may have; default: those of `readImage`
 * @throws as that
 */
export async function decodeFittedImage(
  bytes: Uint8Array,
  sizes: readonly ImageSize[],
  options: { where: string; limits?: PngLimits },
): Promise<RgbImage> {
  const { where: path, limits: { maxSide, maxPixels } = {} } = options;
  const sharp = await loadSharp();
  // libpng passes over what decodePng refuses, and the other way round: both readers see what this leaves.
  const file = isPng(bytes) ? checkPng(bytes, path, { maxSide, maxPixels }).display : bytes;
  // The limit of pixels is checked below, which says more than sharp does.
  const open = () => sharp(file, { failOn: 'error', limitInputPixels: false });
  try {
    const { width, height, format, depth } = await open().metadata();
    checkImageSize(path, { width, height }, maxSide, maxPixels);
    const isDeep = depth === 'ushort' && (format === 'png' || format === 'tiff');
    const { data, info } = await open()
      .autoOrient()
      .toColourspace(isDeep ? 'rgb16' : 'srgb')
      .raw({ depth: isDeep ? 'ushort' : 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const samples = isDeep ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2) : data;
    const { width: columns, height: rows, channels } = info;
    const lines = linesOf({ width: columns, height: rows, channels, samples });
    return fitLines(lines, nearestImageSize(sizes, lines));
  } catch (error) {
    if (TransfusionError.isInstance(error)) throw error;
    const format = describeFormat(bytes);
    if (format !== undefined && !READABLE.test(format)) throw otherKind(path, format);
    const what = format === undefined ? 'it is of no known kind of image' : `it is ${format}, and does not decode`;
    throw unreadable(path, `${what}: ${reason(error)}`, error);
  }
}

async function readBytes(path: string): Promise<Buffer> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) throw unreadable(path, 'it is a folder');
    if (!found.isFile()) throw unreadable(path, 'it is no file');
    if (found.size > MOST_BYTES) throw tooLarge(path, `it has ${found.size} bytes, the most is ${MOST_BYTES}`);
    const bytes = await readFile(path);
    if (bytes.length === 0) throw unreadable(path, 'it is empty (0 bytes)');
    return bytes;
  } catch (error) {
    if (TransfusionError.isInstance(error)) throw error;
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw isMissing ? missingPicture(path, error) : unreadable(path, reason(error), error);
  }
}

/** Colours on white, computed as `decodePng` does: each sample becomes a 32-bit float first. */
function linesOf({ width, height, channels, samples }: RawImage): ImageLines {
  const most = samples instanceof Uint16Array ? 65_535 : 255;
  const scaled = Float32Array.from({ length: most + 1 }, (_, sample) => sample / most);
  const isGray = channels < 3;
  const hasAlpha = channels === 2 || channels === 4;
  const buffer = new Float32Array(width * 3);
  const line = (y: number, left: number, columns: number): Float32Array => {
    for (let x = 0; x < columns; x++) {
      const at = (y * width + left + x) * channels;
      const alpha = hasAlpha ? scaled[samples[at + channels - 1]] : 1;
      for (let c = 0; c < 3; c++) buffer[x * 3 + c] = onWhite(scaled[samples[at + (isGray ? 0 : c)]], alpha);
    }
    return buffer.subarray(0, columns * 3);
  };
  return { width, height, line };
}

function unreadable(path: string, why: string, cause?: unknown): TransfusionError {
  return new TransfusionError({
    code: 'IMAGE_UNREADABLE',
    message: `${path}: ${why.replaceAll(/\s*\n\s*/g, '; ')}`,
    fix: 'give an intact PNG, JPEG, WebP, GIF, AVIF, TIFF or SVG file',
    cause,
  });
}

/** The error of a picture that is not there. */
export function missingPicture(path: string, cause?: unknown): TransfusionError {
  return new TransfusionError({
    code: 'IMAGE_UNREADABLE',
    message: `${path}: there is no such file`,
    fix: 'correct the path',
    cause,
  });
}

function otherKind(path: string, format: string): TransfusionError {
  if (NO_PICTURE.test(format)) return unreadable(path, `it is no picture but ${format}`);
  return unreadable(path, `it is ${format}, which cannot be read here: save it as JPEG or PNG`);
}

function tooLarge(path: string, why: string): TransfusionError {
  return new TransfusionError({ code: 'IMAGE_TOO_LARGE', message: `${path}: ${why}`, fix: 'make it smaller' });
}
