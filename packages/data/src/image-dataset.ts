/** @file Pictures, most with captions, as every dataset gives them. */

import type { HeldOutAs } from './held-out-as.js';
import { fromBytes, type RgbImage } from './image/rgb-image.js';
import { hashOfName } from './name-hash.js';
import { splitHeldOut } from './sampling.js';

/** A picture and its caption, if it has one. */
export interface CaptionedImage {
  /** Undefined where the dataset was asked for pictures without captions. */
  caption: string | undefined;
  /** Other ways to say what it shows. */
  otherCaptions?: readonly string[];
  /** What to call the picture in messages: its path within the folder, say. */
  name: string;
  /** Pictures of one group (one emoji in all styles and skin tones, say) are trained on together, or held out together. */
  group: string;
  /** Of a dataset that comes with a split of its own. */
  split?: 'train' | 'heldOut';
  /** Of what is held out: see `emojiCells`. */
  heldOutAs?: HeldOutAs;
  width: number;
  height: number;
  /** [height, width, 3], red, green, blue from 0 to 255. */
  pixels: Uint8Array;
}

/** A file that was skipped, and why. */
export interface BrokenFile {
  path: string;
  reason: string;
}

export interface ImageDataset {
  /** Side of every picture, in pixels, where they are squares of one size. */
  size?: number;
  images: CaptionedImage[];
  /** What should have been a picture of the dataset, and could not be used. `allowBroken` limits their share. */
  broken: BrokenFile[];
  /** Files that were not tried, since they are nothing that the dataset takes. */
  leftOut: BrokenFile[];
}

/** A picture as numbers in [-1, 1]: [height, width, 3]. */
export function imageOf({ width, height, pixels }: Pick<CaptionedImage, 'width' | 'height' | 'pixels'>): RgbImage {
  return { width, height, data: fromBytes(pixels) };
}

/**
 * Training and held-out pictures (or texts: anything that has a group), both in the dataset's order. A dataset's own split is kept;
 * else `fraction` of the groups, chosen by the seed, are held out (see `splitHeldOut`). Left at its default, what is held out is the
 * same for every run, also for one that starts from the weights of another.
 *
 * @param options.by 'list', the default: any share of the list is as likely as another, and one more group draws all anew. 'name':
 *   each group's name decides, and a group that is added or removed changes no more than one other; for datasets that grow.
 * @throws TransfusionError DATA_HELD_OUT_FRACTION
 */
export function splitDataset<Image extends Pick<CaptionedImage, 'group' | 'split'>>(options: {
  images: readonly Image[];
  fraction: number;
  seed?: number;
  by?: 'list' | 'name';
}): { train: Image[]; heldOut: Image[] } {
  const { images, fraction, seed = 0, by = 'list' } = options;
  if (images.some(({ split }) => split !== undefined)) {
    const isHeldOut = ({ split }: Image) => split === 'heldOut';
    return { train: images.filter((image) => !isHeldOut(image)), heldOut: images.filter(isHeldOut) };
  }
  const groups = [...new Set(images.map(({ group }) => group))];
  const split = splitHeldOut({ count: groups.length, fraction, seed });
  const chosen = split.heldOut.map((i) => groups[i]);
  const held = new Set(by === 'list' ? chosen : byName(groups, seed).slice(0, chosen.length));
  return {
    train: images.filter(({ group }) => !held.has(group)),
    heldOut: images.filter(({ group }) => held.has(group)),
  };
}

/** Groups in an order that each one's name decides about: with more of them, those that there were keep theirs. */
function byName(groups: readonly string[], seed: number): string[] {
  const keyed = groups.map((group) => ({ group, key: hashOfName(`${seed} ${group}`) }));
  return keyed.sort((a, b) => a.key - b.key || (a.group < b.group ? -1 : 1)).map(({ group }) => group);
}
