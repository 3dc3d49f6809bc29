/** @file Resizing to the model's square size. */
import { TransfusionError } from '@transfusion/tensor';
import type { RgbImage } from './rgb-image.js';

interface Tap {
  index: number;
  weight: number;
}

/**
 * The source pixels that make up each target pixel along one axis, weights summing to 1. Shrinking averages the area a
 * target pixel covers; enlarging interpolates linearly between pixel centres.
 */
function axisTaps(from: number, to: number): Tap[][] {
  const ratio = from / to;
  return Array.from({ length: to }, (_, target) => {
    if (ratio >= 1) {
      const begin = target * ratio;
      const end = Math.min(from, begin + ratio);
      const taps: Tap[] = [];
      for (let index = Math.floor(begin); index < end; index++) {
        const covered = Math.min(index + 1, end) - Math.max(index, begin);
        if (covered > 0) taps.push({ index, weight: covered / (end - begin) });
      }
      return taps;
    }
    const center = Math.min(from - 1, Math.max(0, (target + 0.5) * ratio - 0.5));
    const left = Math.floor(center);
    if (center === left) return [{ index: left, weight: 1 }];
    return [
      { index: left, weight: 1 - (center - left) },
      { index: left + 1, weight: center - left },
    ];
  });
}

/** The largest centred square of an image. */
export function centerCrop(image: RgbImage): RgbImage {
  const side = Math.min(image.width, image.height);
  const left = Math.floor((image.width - side) / 2);
  const top = Math.floor((image.height - side) / 2);
  const data = new Float32Array(side * side * 3);
  for (let y = 0; y < side; y++) {
    const from = ((top + y) * image.width + left) * 3;
    data.set(image.data.subarray(from, from + side * 3), y * side * 3);
  }
  return { width: side, height: side, data };
}

/** Resizes to width x height: area average where it shrinks, linear interpolation where it grows; gamma is ignored. */
export function resizeImage(image: RgbImage, width: number, height: number): RgbImage {
  if (!(Number.isInteger(width) && width > 0 && Number.isInteger(height) && height > 0)) {
    throw new TransfusionError({
      code: 'DATA_IMAGE_SIZE',
      message: `resizeImage: the target is ${width} x ${height}, expected positive integers`,
    });
  }
  const columns = axisTaps(image.width, width);
  const rows = axisTaps(image.height, height);
  const narrowed = new Float64Array(image.height * width * 3);
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 3;
      for (const { index, weight } of columns[x]) {
        const from = (y * image.width + index) * 3;
        for (let c = 0; c < 3; c++) narrowed[at + c] += weight * image.data[from + c];
      }
    }
  }
  const data = new Float32Array(width * height * 3);
  const line = new Float64Array(width * 3);
  for (let y = 0; y < height; y++) {
    line.fill(0);
    for (const { index, weight } of rows[y]) {
      const from = index * width * 3;
      for (let i = 0; i < line.length; i++) line[i] += weight * narrowed[from + i];
    }
    data.set(line, y * width * 3);
  }
  return { width, height, data };
}

/** Centre crop to a square (paper section 4.1), then resize to size x size. */
export function squareImage(image: RgbImage, size: number): RgbImage {
  return resizeImage(centerCrop(image), size, size);
}
