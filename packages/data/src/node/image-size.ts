/** @file How large a picture file is, without decoding its pixels. */
import { existsSync } from 'node:fs';
import { reason, TransfusionError } from '@transfusion/core';
import { loadSharp } from './load-sharp.js';
import { missingPicture } from './read-image.js';

/**
 * Width and height in pixels of a file that `readImage` reads, turned as its EXIF data says.
 *
 * @throws TransfusionError IMAGE_UNREADABLE, DATA_SHARP_MISSING, DATA_SHARP_BROKEN
 */
export async function readImageSize(path: string): Promise<{ width: number; height: number }> {
  const sharp = await loadSharp();
  try {
    const { autoOrient } = await sharp(path, { limitInputPixels: false }).metadata();
    return { width: autoOrient.width, height: autoOrient.height };
  } catch (error) {
    if (!existsSync(path)) throw missingPicture(path, error);
    throw new TransfusionError({
      code: 'IMAGE_UNREADABLE',
      message: `${path}: ${reason(error).replaceAll(/\s*\n\s*/g, '; ')}`,
      fix: 'give an intact PNG, JPEG, WebP, GIF, AVIF, TIFF or SVG file',
      cause: error,
    });
  }
}
