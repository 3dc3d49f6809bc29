/** @file Pictures that others are made from, and masks, out of files. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ImageSize, RgbImage } from '@transfusion/data';
import { readFittedImage, readImageSize } from '@transfusion/data/node';
import type { DrawingSettings, PixelMask } from '@transfusion/sampler';
import { TransfusionError } from '@transfusion/tensor';

type GenerateSettings = DrawingSettings & { command: 'generate' };
/** A file as the settings of a drawing name it. */
export type SourceFile = NonNullable<GenerateSettings['from']>;

export interface SourceFiles {
  images: { from?: RgbImage; mask?: PixelMask };
  files: { from?: SourceFile; mask?: SourceFile };
}

/**
 * The picture and its mask, cropped and resized alike.
 *
 * @param sizes that may be drawn, in pixels: the one nearest in shape is taken
 * @throws TransfusionError IMAGE_UNREADABLE, IMAGE_TOO_LARGE; MASK_SHAPE: the mask is not as wide for its height as the picture;
 *   MASK_EMPTY: it is dark everywhere
 */
export async function readSource(
  paths: { from?: string; mask?: string },
  sizes: readonly ImageSize[],
): Promise<SourceFiles> {
  const { from, mask } = paths;
  if (from === undefined) {
    if (mask === undefined) return { images: {}, files: {} };
    throw new TransfusionError({
      code: 'MASK_SHAPE',
      message: `--mask ${mask} is given without --from`,
      fix: 'give the picture that it belongs to with --from',
    });
  }
  if (mask !== undefined) await checkShape(from, mask);
  const image = await readFittedImage(from, sizes);
  const repainted = mask === undefined ? undefined : brightness(await readFittedImage(mask, [image]));
  if (repainted?.data.every((value) => value < 0.5)) {
    throw new TransfusionError({
      code: 'MASK_EMPTY',
      message: `--mask ${mask} has no bright pixel at ${image.width} x ${image.height}, the size that is drawn: nothing would be repainted`,
      fix: 'make bright or transparent what is to be repainted, or leave --mask out to change all of the picture',
    });
  }
  return {
    images: { from: image, ...(repainted && { mask: repainted }) },
    files: { from: await sourceFile(from), ...(mask !== undefined && { mask: await sourceFile(mask) }) },
  };
}

/** A file by its name and hash. */
export async function sourceFile(path: string): Promise<SourceFile> {
  return { name: basename(path), sha256: sha256(await readFile(path)) };
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Of the same shape, but for the rounding of a pixel. */
async function checkShape(from: string, mask: string): Promise<void> {
  const [picture, given] = [await readImageSize(from), await readImageSize(mask)];
  const wide = Math.abs(given.width - (given.height * picture.width) / picture.height);
  const high = Math.abs(given.height - (given.width * picture.height) / picture.width);
  if (Math.min(wide, high) < 1) return;
  throw new TransfusionError({
    code: 'MASK_SHAPE',
    message: `--mask ${mask} is ${given.width} x ${given.height} pixels, --from ${from} ${picture.width} x ${picture.height}: other parts of them would be used`,
    fix: `give a mask of ${picture.width} x ${picture.height} pixels, or of the same shape`,
  });
}

/** [height, width, 3] in [-1, 1] to [height, width] from 0, black, to 1, white. */
function brightness({ width, height, data }: RgbImage): PixelMask {
  const values = Float32Array.from({ length: width * height }, (_, i) => {
    const mean = (data[i * 3] + data[i * 3 + 1] + data[i * 3 + 2]) / 3;
    return Math.min(Math.max((mean + 1) / 2, 0), 1);
  });
  return { width, height, data: values };
}
