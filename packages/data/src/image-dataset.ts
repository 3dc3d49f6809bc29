/** @file Pictures of one size, most with captions, as every dataset gives them. */
import { fromBytes, type RgbImage } from './image/rgb-image.js';
import { splitHeldOut } from './sampling.js';

/** A picture and its caption, if it has one. */
export interface CaptionedImage {
  /** Undefined where the dataset was asked for pictures without captions. */
  caption: string | undefined;
  /** What to call the picture in messages: its path within the folder, say. */
  name: string;
  /** Pictures of one group (one emoji in all styles and skin tones, say) are trained on together, or held out together. */
  group: string;
  /** Of a dataset that comes with a split of its own. */
  split?: 'train' | 'heldOut';
  /** [size, size, 3], red, green, blue from 0 to 255. */
  pixels: Uint8Array;
}

/** A file that was skipped, and why. */
export interface BrokenFile {
  path: string;
  reason: string;
}

export interface ImageDataset {
  /** Side of every picture, in pixels. */
  size: number;
  images: CaptionedImage[];
  /** What should have been a picture of the dataset, and could not be used. `allowBroken` limits their share. */
  broken: BrokenFile[];
  /** Files that were not tried, since they are nothing that the dataset takes. */
  leftOut: BrokenFile[];
}

/** A picture as numbers in [-1, 1]: [size, size, 3]. */
export function imageOf({ pixels }: Pick<CaptionedImage, 'pixels'>): RgbImage {
  const size = Math.sqrt(pixels.length / 3);
  return { width: size, height: size, data: fromBytes(pixels) };
}

/**
 * Training and held-out pictures (or texts: anything that has a group), both in the dataset's order. A dataset's own split is kept; else `fraction` of the groups,
 * chosen by the seed, are held out (see `splitHeldOut`). Left at its default, what is held out is the same for every run, also for
 * one that starts from the weights of another.
 *
 * @throws TransfusionError DATA_HELD_OUT_FRACTION
 */
export function splitDataset<Image extends Pick<CaptionedImage, 'group' | 'split'>>(options: {
  images: readonly Image[];
  fraction: number;
  seed?: number;
}): { train: Image[]; heldOut: Image[] } {
  const { images, fraction, seed = 0 } = options;
  if (images.some(({ split }) => split !== undefined)) {
    const isHeldOut = ({ split }: Image) => split === 'heldOut';
    return { train: images.filter((image) => !isHeldOut(image)), heldOut: images.filter(isHeldOut) };
  }
  const groups = [...new Set(images.map(({ group }) => group))];
  const split = splitHeldOut({ count: groups.length, fraction, seed });
  const held = new Set(split.heldOut.map((i) => groups[i]));
  return {
    train: images.filter(({ group }) => !held.has(group)),
    heldOut: images.filter(({ group }) => held.has(group)),
  };
}
