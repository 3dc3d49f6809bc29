/** @file Which pictures and documents of a run are looked at: what it has never seen, and as many that it was trained on. */
import type { CaptionedImage, HeldOutAs } from '@transfusion/data';
import {
  type DocumentExample,
  type Example,
  type Split,
  splitTogether,
  spread,
  type TransfusionTask,
} from '@transfusion/training';
import { styleWords } from '../data/dataset.js';

/** Pictures with captions that are held out in one way, or that were trained on. */
export interface PictureSet {
  id: HeldOutAs | 'heldOut' | 'train';
  /** Of a split, for people. */
  words: string;
  /** All there are. */
  all: Example[];
  /** Those that are drawn and captioned, evenly spread. */
  chosen: Example[];
}

export interface PictureSets {
  /** Emoji in styles of which cells are held out. */
  hasCells: boolean;
  /** Two where cells are held out, one elsewhere, none where nothing is. */
  heldOut: PictureSet[];
  /** Undefined where there are no captions. */
  train?: PictureSet;
  documents: Split<DocumentExample>;
}

const WORDS: Readonly<Record<PictureSet['id'], string>> = {
  composition: 'held out, composition',
  new: 'held out, new',
  heldOut: 'held out',
  train: 'trained on',
};

export function pictureSets(task: TransfusionTask, count: number): PictureSets {
  const { examples, documents } = splitTogether(task.config, task.examples, task.documents);
  const heldOut = examples.heldOut.filter(isCaptioned);
  const seen = examples.train.filter(isCaptioned);
  const setOf = (id: PictureSet['id'], all: Example[]): PictureSet => {
    return { id, words: WORDS[id], all, chosen: spread(all, count) };
  };
  const hasCells = heldOut.some(({ heldOutAs }) => heldOutAs !== undefined);
  // Further styles have no held-out pictures to compare with.
  const train = hasCells ? seen.filter((picture) => styleOf(picture) !== '') : seen;
  const byKind = (['composition', 'new'] as const).map((id) =>
    setOf(
      id,
      heldOut.filter(({ heldOutAs }) => heldOutAs === id),
    ),
  );
  const sets = hasCells ? byKind : [setOf('heldOut', heldOut)];
  return {
    hasCells,
    heldOut: sets.filter(({ all }) => all.length > 0),
    ...(train.length > 0 ? { train: setOf('train', train) } : {}),
    documents,
  };
}

function isCaptioned({ caption }: Example): boolean {
  return caption !== undefined;
}

let knownStyles: readonly string[] | undefined;

/** The words of a picture's style; '' where it has none. */
export function styleOf({ name }: Pick<CaptionedImage, 'name'>): string {
  knownStyles ??= styleWords();
  return knownStyles.find((words) => name.endsWith(`, ${words}`)) ?? '';
}

/** A caption without the words of a style: what it says besides. */
export function nameInCaption(caption: string): string {
  const style = styleOf({ name: caption });
  return style === '' ? caption : caption.slice(0, -style.length - 2);
}

/** Pictures among which one is looked for. */
export interface Gallery {
  pictures: readonly Example[];
  /** Those that one of the pictures is looked for among, by their numbers. */
  among(picture: Example): readonly number[];
  /** What they are, for people. */
  words: string;
}

/**
 * Where cells are held out, all pictures of the same style, trained on and held out together. Elsewhere all of the held-out ones, or
 * of those that were trained on as many, and what is looked for.
 */
export function galleryOf({ hasCells, heldOut, train }: PictureSets, set: PictureSet): Gallery {
  if (hasCells) {
    const pictures = [...(train?.all ?? []), ...heldOut.flatMap(({ all }) => all)];
    const byStyle = new Map<string, number[]>();
    pictures.forEach((picture, i) => {
      const style = styleOf(picture);
      const same = byStyle.get(style);
      if (same) same.push(i);
      else byStyle.set(style, [i]);
    });
    return { pictures, among: (picture) => byStyle.get(styleOf(picture)) ?? [], words: 'all pictures of its style' };
  }
  const others = heldOut.flatMap(({ all }) => all).length;
  const pictures =
    set.id !== 'train'
      ? set.all
      : [...new Set([...set.chosen, ...spread(set.all, others > 0 ? others : set.all.length)])];
  const numbers = pictures.map((_, i) => i);
  return {
    pictures,
    among: () => numbers,
    words: set.id === 'train' ? 'pictures that were trained on' : 'all held-out pictures',
  };
}
