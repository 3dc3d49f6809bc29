/** @file Resizing to the sizes of a model. */
import { TransfusionError } from '@transfusion/core';
import type { ImageSize } from '../image-size.js';
import type { RgbImage } from './rgb-image.js';

/** An image that is made line by line, so that it never stands in memory whole. */
export interface ImageLines {
  width: number;
  height: number;
  /** Line y from column `left`, `columns` pixels: [columns, 3] in [-1, 1]. May be overwritten by the next call. */
  line(y: number, left: number, columns: number): Float32Array;
}

/**
 * `linear`: shrinking averages the area a target pixel covers, enlarging interpolates linearly between pixel centres. `cubic`: as
 * Pillow's BICUBIC, which CLIP and others saw their pictures through.
 */
export type ResizeFilter = 'linear' | 'cubic';

/** Of each target pixel its source pixels along one axis, weights summing to 1. */
interface Taps {
  /** [to + 1]: the taps of target i are those from starts[i] to starts[i + 1]. */
  starts: Uint32Array;
  index: Uint32Array;
  weight: Float64Array;
}

/**
 * Shrinking averages the area a target pixel covers; enlarging interpolates linearly between pixel centres.
 */
function axisTaps(from: number, to: number): Taps {
  const ratio = from / to;
  const starts = new Uint32Array(to + 1);
  const index: number[] = [];
  const weight: number[] = [];
  const push = (at: number, share: number) => {
    index.push(at);
    weight.push(share);
  };
  for (let target = 0; target < to; target++) {
    if (ratio >= 1) {
      const begin = target * ratio;
      const end = Math.min(from, begin + ratio);
      for (let at = Math.floor(begin); at < end; at++) {
        const covered = Math.min(at + 1, end) - Math.max(at, begin);
        if (covered > 0) push(at, covered / (end - begin));
      }
    } else {
      const center = Math.min(from - 1, Math.max(0, (target + 0.5) * ratio - 0.5));
      const left = Math.floor(center);
      if (center === left) push(left, 1);
      else {
        push(left, 1 - (center - left));
        push(left + 1, center - left);
      }
    }
    starts[target + 1] = index.length;
  }
  return { starts, index: Uint32Array.from(index), weight: Float64Array.from(weight) };
}

/** Keys' cubic kernel, a = -0.5, widened to the area of a target pixel where it shrinks. */
function cubicTaps(from: number, to: number): Taps {
  const ratio = from / to;
  const scale = Math.max(1, ratio);
  const starts = new Uint32Array(to + 1);
  const index: number[] = [];
  const weight: number[] = [];
  for (let target = 0; target < to; target++) {
    const center = (target + 0.5) * ratio - 0.5;
    const begin = Math.max(0, Math.ceil(center - 2 * scale));
    const end = Math.min(from - 1, Math.floor(center + 2 * scale));
    const shares = Array.from({ length: end - begin + 1 }, (_, i) => cubic(Math.abs(begin + i - center) / scale));
    const sum = shares.reduce((all, share) => all + share);
    shares.forEach((share, i) => {
      index.push(begin + i);
      weight.push(share / sum);
    });
    starts[target + 1] = index.length;
  }
  return { starts, index: Uint32Array.from(index), weight: Float64Array.from(weight) };
}

function cubic(x: number): number {
  if (x < 1) return 1.5 * x ** 3 - 2.5 * x ** 2 + 1;
  return x < 2 ? -0.5 * x ** 3 + 2.5 * x ** 2 - 4 * x + 2 : 0;
}

/** The largest centred part of an image that has the aspect ratio of `size`, to whole pixels. */
function centeredPart(image: ImageSize, size: ImageSize): ImageSize & { left: number; top: number } {
  const width = Math.max(1, Math.min(image.width, Math.round((image.height * size.width) / size.height)));
  const height = Math.max(1, Math.min(image.height, Math.round((image.width * size.height) / size.width)));
  const [left, top] = [Math.floor((image.width - width) / 2), Math.floor((image.height - height) / 2)];
  return { width, height, left, top };
}

/** The largest centred square of an image, or part of the aspect ratio of `size`. */
export function centerCrop(image: RgbImage, size: ImageSize = { width: 1, height: 1 }): RgbImage {
  const { width, height, left, top } = centeredPart(image, size);
  const data = new Float32Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * image.width + left) * 3;
    data.set(image.data.subarray(from, from + width * 3), y * width * 3);
  }
  return { width, height, data };
}

/** line [from, 3] -> narrowed [to, 3], at `at` of `narrowed`. */
function narrowLine(line: Float32Array, { starts, index, weight }: Taps, narrowed: Float64Array, at: number): void {
  for (let x = 0; x + 1 < starts.length; x++) {
    let [red, green, blue] = [0, 0, 0];
    for (let tap = starts[x]; tap < starts[x + 1]; tap++) {
      const from = index[tap] * 3;
      red += weight[tap] * line[from];
      green += weight[tap] * line[from + 1];
      blue += weight[tap] * line[from + 2];
    }
    narrowed[at + x * 3] = red;
    narrowed[at + x * 3 + 1] = green;
    narrowed[at + x * 3 + 2] = blue;
  }
}

/** lines, each [from, 3], of a part of an image -> [height, width, 3]. */
function resizeLines(
  source: { columns: number; rows: number; line: (y: number) => Float32Array },
  width: number,
  height: number,
  filter: ResizeFilter = 'linear',
): RgbImage {
  if (!(Number.isInteger(width) && width > 0 && Number.isInteger(height) && height > 0)) {
    throw new TransfusionError({
      code: 'DATA_IMAGE_SIZE',
      message: `resizeImage: the target is ${width} x ${height}, expected positive integers`,
    });
  }
  const taps = filter === 'cubic' ? cubicTaps : axisTaps;
  const columns = taps(source.columns, width);
  const rows = taps(source.rows, height);
  const narrowed = new Float64Array(source.rows * width * 3);
  for (let y = 0; y < source.rows; y++) narrowLine(source.line(y), columns, narrowed, y * width * 3);
  const data = new Float32Array(width * height * 3);
  const line = new Float64Array(width * 3);
  for (let y = 0; y < height; y++) {
    line.fill(0);
    for (let tap = rows.starts[y]; tap < rows.starts[y + 1]; tap++) {
      const from = rows.index[tap] * width * 3;
      for (let i = 0; i < line.length; i++) line[i] += rows.weight[tap] * narrowed[from + i];
    }
    // The kernel's negative parts overshoot at edges.
    if (filter === 'cubic') for (let i = 0; i < line.length; i++) line[i] = Math.max(-1, Math.min(1, line[i]));
    data.set(line, y * width * 3);
  }
  return { width, height, data };
}

/** Resizes to width x height, gamma ignored: area average where it shrinks, linear interpolation where it grows; or `cubic`. */
export function resizeImage(image: RgbImage, width: number, height: number, filter?: ResizeFilter): RgbImage {
  const length = image.width * 3;
  const line = (y: number) => image.data.subarray(y * length, (y + 1) * length);
  return resizeLines({ columns: image.width, rows: image.height, line }, width, height, filter);
}

/** Centre crop to a square (paper section 4.1), then resize to size x size. */
export function squareImage(image: RgbImage, size: number): RgbImage {
  return fitImage(image, { width: size, height: size });
}

/** Centre crop to the aspect ratio of `size`, then resize to it. */
export function fitImage(image: RgbImage, size: ImageSize, filter?: ResizeFilter): RgbImage {
  return resizeImage(centerCrop(image, size), size.width, size.height, filter);
}

/** As `fitImage`, of an image that is made line by line. */
export function fitLines(image: ImageLines, size: ImageSize): RgbImage {
  const { width, height, left, top } = centeredPart(image, size);
  const line = (y: number) => image.line(top + y, left, width);
  return resizeLines({ columns: width, rows: height, line }, size.width, size.height);
}
