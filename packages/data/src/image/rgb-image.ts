/** @file The image type, values to bytes and back, and images to PNG. */
import { TransfusionError } from '@transfusion/core';
import { encode } from 'fast-png';
import { addPngTexts } from './png-text.js';

/** An image: data is [height, width, 3], red, green, blue in [-1, 1]. */
export interface RgbImage {
  width: number;
  height: number;
  data: Float32Array;
}

/**
 * [-1, 1] to 0..255, rounded, halves to even. Values outside are clamped, infinities too; NaN becomes 0, black: check before where
 * it may occur, as `encodePng` does.
 */
export function toBytes(data: Float32Array): Uint8Array {
  const bytes = new Uint8ClampedArray(data.length);
  for (let i = 0; i < data.length; i++) bytes[i] = (data[i] + 1) * 127.5;
  return new Uint8Array(bytes.buffer);
}

/** 0..255 to [-1, 1]. */
export function fromBytes(bytes: ArrayLike<number>): Float32Array {
  const data = new Float32Array(bytes.length);
  for (let i = 0; i < data.length; i++) data[i] = bytes[i] / 127.5 - 1;
  return data;
}

/**
 * A colour from 0 to 1, of opacity `alpha` from 0 to 1, on white: in [-1, 1]. Both are 32-bit floats; the result is not rounded to
 * one yet.
 */
export function onWhite(colour: number, alpha: number): number {
  return (colour * alpha + (1 - alpha)) * 2 - 1;
}

/**
 * Encodes an image as an 8-bit RGB PNG file; values outside of [-1, 1] are clamped.
 *
 * @throws TransfusionError DATA_IMAGE_SHAPE; DATA_IMAGE_NOT_FINITE: a value is NaN or infinite; DATA_PNG_TEXT
 */
export function encodePng(
  image: RgbImage,
  {
    texts = {},
  }: {
    /** What is told beside the pixels, by keyword: see `readPngTexts`. Default: nothing. */
    texts?: Readonly<Record<string, string>>;
  } = {},
): Uint8Array {
  const { width, height, data } = image;
  if (data.length !== width * height * 3) {
    throw new TransfusionError({
      code: 'DATA_IMAGE_SHAPE',
      message: `encodePng: got ${data.length} values, expected [${height}, ${width}, 3] = ${width * height * 3}`,
    });
  }
  const wrong = data.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) {
    const [x, y] = [Math.floor(wrong / 3) % width, Math.floor(wrong / 3 / width)];
    throw new TransfusionError({
      code: 'DATA_IMAGE_NOT_FINITE',
      message: `encodePng: the pixel at column ${x}, row ${y} is ${data[wrong]}`,
      fix: 'find out where it comes from: a model that draws such values is broken, or its precision too low',
    });
  }
  return addPngTexts(encode({ width, height, data: toBytes(data), channels: 3, depth: 8 }), texts);
}

/**
 * Lays images of one size out in rows of `columns`, on white, each enlarged `scale` times without smoothing, with
 * `gap` pixels around each.
 */
export function imageGrid(images: RgbImage[], options: { columns: number; scale?: number; gap?: number }): RgbImage {
  const { columns, scale = 1, gap = 2 } = options;
  const cellWidth = Math.max(1, ...images.map((image) => image.width)) * scale + gap;
  const cellHeight = Math.max(1, ...images.map((image) => image.height)) * scale + gap;
  const width = columns * cellWidth + gap;
  const height = Math.max(1, Math.ceil(images.length / columns)) * cellHeight + gap;
  const data = new Float32Array(width * height * 3).fill(1);
  images.forEach((image, index) => {
    const left = (index % columns) * cellWidth + gap;
    const top = Math.floor(index / columns) * cellHeight + gap;
    for (let y = 0; y < image.height * scale; y++) {
      for (let x = 0; x < image.width * scale; x++) {
        const from = (Math.floor(y / scale) * image.width + Math.floor(x / scale)) * 3;
        data.set(image.data.subarray(from, from + 3), ((top + y) * width + left + x) * 3);
      }
    }
  });
  return { width, height, data };
}
