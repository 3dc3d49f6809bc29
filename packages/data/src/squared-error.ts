/** @file How far a picture is from one of a dataset, pixel by pixel. */
import type { RgbImage } from './image/rgb-image.js';
import type { CaptionedImage } from './image-dataset.js';

/** Values between two looks at the limit. */
const STRIDE = 384;

/** Summed over all values, of pictures in [-1, 1]; past `limit` it may end early. */
export function squaredError(
  image: RgbImage,
  { width, height, pixels }: Pick<CaptionedImage, 'width' | 'height' | 'pixels'>,
  limit = Number.POSITIVE_INFINITY,
): number {
  if (width !== image.width || height !== image.height) return Number.POSITIVE_INFINITY;
  const { data } = image;
  let sum = 0;
  for (let begin = 0; begin < pixels.length && sum <= limit; begin += STRIDE) {
    const end = Math.min(pixels.length, begin + STRIDE);
    for (let i = begin; i < end; i++) {
      // The value that `imageOf` gives, in f32.
      const difference = data[i] - Math.fround(pixels[i] / 127.5 - 1);
      sum += difference * difference;
    }
  }
  return sum;
}
