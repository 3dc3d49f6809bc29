/** @file PNG files of every kind to RGB on white. */
import { reason } from '@transfusion/core';
import { type DecodedPng, decode } from 'fast-png';
import { checkPng, type PngLimits, unreadable } from './png-chunks.js';
import { onWhite, type RgbImage } from './rgb-image.js';

/** Reads sample `x` of a line that starts at `lineStart`; samples of less than 8 bits are packed, high bits first. */
function readSample(png: DecodedPng, lineStart: number, x: number): number {
  if (png.depth >= 8) return png.data[lineStart + x];
  const perByte = 8 / png.depth;
  const byte = png.data[lineStart + Math.floor(x / perByte)];
  return (byte >> (8 - png.depth * ((x % perByte) + 1))) & ((1 << png.depth) - 1);
}

/** Returns the function that writes the color and alpha (0 to 1) of one pixel into `rgba`. */
function pixelReader(png: DecodedPng, indexed: boolean): (lineStart: number, x: number, rgba: Float32Array) => void {
  const { channels, palette = [], transparency } = png;
  const most = 2 ** png.depth - 1;
  if (indexed) {
    return (lineStart, x, rgba) => {
      // What lies beyond the palette is black, as libpng and browsers have it.
      const color = palette[readSample(png, lineStart, x)] ?? [0, 0, 0];
      for (let c = 0; c < 3; c++) rgba[c] = color[c] / 255;
      rgba[3] = (color[3] ?? 255) / 255;
    };
  }
  const gray = channels < 3;
  const hasAlpha = channels === 2 || channels === 4;
  return (lineStart, x, rgba) => {
    let isTransparentColor = transparency !== undefined && !hasAlpha;
    for (let c = 0; c < 3; c++) {
      const sample = readSample(png, lineStart, x * channels + (gray ? 0 : c));
      if (isTransparentColor && sample !== transparency![gray ? 0 : c]) isTransparentColor = false;
      rgba[c] = sample / most;
    }
    rgba[3] = hasAlpha ? readSample(png, lineStart, x * channels + channels - 1) / most : isTransparentColor ? 0 : 1;
  };
}

/**
 * Decodes a PNG file (1 to 16 bits, gray, palette, colour, alpha) to [height, width, 3] in [-1, 1], composited on white. Works in
 * browsers too. In Node `readImage` of `@transfusion/data/node` gives the same for PNG files, and reads other kinds.
 *
 * What it does otherwise than `readImage`: colour profiles and EXIF orientation are ignored, and files that are interlaced with
 * less than 8 bits per channel are refused. Gamma is ignored by both; of an animation the still image is taken.
 *
 * @param bytes the file; may be a view into a larger buffer, or shared memory that nobody writes to meanwhile
 * @param options.where names the file in errors
 * @throws TransfusionError IMAGE_UNREADABLE: empty, truncated, damaged, not a PNG; IMAGE_TOO_LARGE: the header names
 *   more pixels than the limits allow. Both before anything of the declared size is allocated.
 */
export function decodePng(bytes: Uint8Array, options: PngLimits & { where?: string } = {}): RgbImage {
  const { where = 'image', ...limits } = options;
  const { header, pixels } = checkPng(bytes, where, limits);
  if (header.interlaced && header.depth < 8) {
    throw unreadable(
      where,
      `it is interlaced with ${header.depth} bits per channel, which is not supported`,
      'save it without interlacing',
    );
  }
  let png: DecodedPng;
  try {
    png = decode(pixels);
  } catch (error) {
    throw unreadable(where, reason(error));
  }
  const { width, height } = png;
  const data = new Float32Array(width * height * 3);
  const rgba = new Float32Array(4);
  const readPixel = pixelReader(png, header.indexed);
  const lineLength = png.data.length / height;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      readPixel(y * lineLength, x, rgba);
      for (let c = 0; c < 3; c++) {
        data[(y * width + x) * 3 + c] = onWhite(rgba[c], rgba[3]);
      }
    }
  }
  return { width, height, data };
}
