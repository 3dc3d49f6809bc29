/** @file How large an image may be, the same for every reader. */
import { TransfusionError } from '@transfusion/core';

/** Most pixels along one side. */
const MOST_SIDE = 32_768;
/** Most pixels in all. */
const MOST_PIXELS = 100_000_000;

/** @throws TransfusionError IMAGE_TOO_LARGE */
export function checkImageSize(
  where: string,
  { width, height }: { width: number; height: number },
  maxSide = MOST_SIDE,
  maxPixels = MOST_PIXELS,
): void {
  if (Math.max(width, height) <= maxSide && width * height <= maxPixels) return;
  throw new TransfusionError({
    code: 'IMAGE_TOO_LARGE',
    message: `${where}: it is ${width} x ${height} pixels; the most is ${maxSide} a side and ${maxPixels} in all`,
    fix: 'make it smaller',
  });
}
