/** @file Which emoji in styles are held out: whole emoji, and of others one style each. */
import type { HeldOutAs } from './held-out-as.js';
import { type CaptionedImage, splitDataset } from './image-dataset.js';
import { hashOfBytes, shareOfName } from './name-hash.js';

/** Share of the emoji that are never seen. */
const FRACTION_NEW = 0.05;

/**
 * Think of a table with a row for each emoji and a column for each style: whole rows are held out, and of other rows one cell. So two
 * questions can be asked of a model: can it draw what it never saw, and what it only saw in other styles?
 *
 * `new`: every picture of the groups that `splitDataset({ images, fraction: 0.05 })` holds out; of all emoji in the four styles these
 * are the ones that models/emoji-64-kl never saw. `composition`: of the other groups that are drawn in every style, `compositions` of
 * them have one style held out, with all skin tones. Each group's name decides whether, and which.
 *
 * @param options.images as `loadEmoji` gives them, named `LABEL, STYLE`
 * @param options.styles the words of the styles, such as 'google style'
 * @param options.compositions default 0.12
 * @returns the pictures in their order, each with its `split`, and where it is held out `heldOutAs`
 */
export function emojiCells(options: {
  images: readonly CaptionedImage[];
  styles: readonly string[];
  compositions?: number;
}): CaptionedImage[] {
  const { images, styles, compositions = 0.12 } = options;
  const isNew = new Set(splitDataset({ images, fraction: FRACTION_NEW, by: 'list', seed: 0 }).heldOut);
  const stylesOf = new Map<string, Set<number>>();
  for (const { group, name } of images) {
    const known = stylesOf.get(group) ?? new Set<number>();
    stylesOf.set(group, known.add(styleOf(name, styles)));
  }
  const isComposition = ({ group, name }: CaptionedImage) => {
    const isEverywhere = styles.every((_, style) => stylesOf.get(group)?.has(style));
    if (styles.length < 2 || !isEverywhere || shareOfName(`cell of ${group}`) >= compositions) return false;
    return styleOf(name, styles) === Math.floor(shareOfName(`style of ${group}`) * styles.length);
  };
  return images.map((image) => {
    const heldOutAs: HeldOutAs | undefined = isNew.has(image)
      ? 'new'
      : isComposition(image)
        ? 'composition'
        : undefined;
    return { ...image, ...(heldOutAs ? { split: 'heldOut', heldOutAs } : { split: 'train' }) };
  });
}

/**
 * Of the pictures in further styles those that may be trained on beside `cells`: none of an emoji that is new, none by the hands that
 * drew a held-out cell, as Fluent's flat emoji beside its 3d ones, and none of the same pixels as one of these: older sets have one
 * drawing for several emoji.
 *
 * @param options.images named `LABEL, STYLE`
 * @param options.sameHand of the words of a further style those of one of `cells`
 */
export function besideCells(options: {
  images: readonly CaptionedImage[];
  cells: readonly CaptionedImage[];
  sameHand: ReadonlyMap<string, string>;
}): CaptionedImage[] {
  const { images, cells, sameHand } = options;
  const heldOut = cells.filter(({ split }) => split === 'heldOut');
  const isNew = new Set(heldOut.flatMap(({ group, heldOutAs }) => (heldOutAs === 'new' ? group : [])));
  const words = [...new Set(sameHand.values())];
  const cell = (group: string, style: string | undefined) => `${style} of ${group}`;
  const compositions = new Set(heldOut.map(({ group, name }) => cell(group, words[styleOf(name, words)])));
  const further = [...sameHand.keys()];
  const isLeftOut = ({ group, name }: CaptionedImage) => {
    const hand = sameHand.get(further[styleOf(name, further)]);
    return isNew.has(group) || (hand !== undefined && compositions.has(cell(group, hand)));
  };
  const leftOut = new Set(images.filter(isLeftOut).map(({ pixels }) => hashOfBytes(pixels)));
  return images
    .filter(({ pixels }) => !leftOut.has(hashOfBytes(pixels)))
    .map((image) => ({ ...image, split: 'train' }));
}

/** -1 where the name has none. */
function styleOf(name: string, styles: readonly string[]): number {
  return styles.findIndex((words) => name.endsWith(`, ${words}`));
}
