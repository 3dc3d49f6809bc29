/** @file Whether drawings are of what was asked: the nearest of many real pictures, in features and in pixels. */
import { nextTask } from '@transfusion/core';
import { imageOf, type RgbImage, squaredError } from '@transfusion/data';
import {
  type Features,
  placesByFeatures,
  placesByPixels,
  type RetrievalScores,
  textImageAgreement,
} from '@transfusion/evaluation';
import type { Example } from '@transfusion/training';
import { type Examination, withBar } from './examination.js';
import { type Gallery, galleryOf, type PictureSet, styleOf } from './picture-sets.js';

/** Right is the picture itself, or any of its group: of an emoji, any skin tone. */
export type Senses = Record<'own' | 'group', RetrievalScores>;

export interface Found {
  features?: Senses;
  pixels: Senses;
}

export interface FoundSet extends Found {
  /** How many candidates a picture has, on average. */
  candidates: number;
  gallery: Gallery;
  /** Whether some picture has others of its caption, or of its group, among its candidates. */
  hasShared: Record<keyof Senses, boolean>;
  /** The nearest training picture of the same emoji in another style, in place of the drawing. */
  otherStyle?: Found;
  /** Captions in place of the drawings: what the encoder makes of real pictures. */
  captions?: Senses;
  /** Of texts with drawings, and with the real pictures. */
  agreement?: { drawn: number; real: number };
}

/** Looks for the chosen pictures of a set by their drawings. */
export async function findPictures(
  { sets, judge, terminal }: Pick<Examination, 'sets' | 'judge' | 'terminal'>,
  set: PictureSet,
  drawings: readonly RgbImage[],
): Promise<FoundSet> {
  const gallery = galleryOf(sets, set);
  const among = set.chosen.map(gallery.among);
  const looking = {
    among: (query: number) => among[query],
    right: {
      own: (query: number, candidate: number) => isOwn(set.chosen[query], gallery.pictures[candidate]),
      group: (query: number, candidate: number) => {
        const [asked, other] = [set.chosen[query], gallery.pictures[candidate]];
        return asked.group === other.group || isOwn(asked, other);
      },
    },
  };
  const { signal } = terminal;
  const { features, pair } = judge;
  const realFeatures = (of: NonNullable<typeof features>) =>
    withBar(terminal, `look at ${gallery.words}`, (update) =>
      of.real(gallery.pictures, { onProgress: (done) => update(done, gallery.pictures.length), signal }),
    );
  const candidates = features && (await realFeatures(features));
  const drawn = features && (await features.drawn(drawings, { signal }));
  const found = {
    ...(drawn && candidates ? { features: placesByFeatures({ ...looking, queries: drawn, candidates }) } : {}),
    pixels: placesByPixels({ ...looking, queries: drawings, candidates: gallery.pictures }),
  };
  await nextTask();
  signal.throwIfAborted();
  const rows = set.chosen.map((picture) => gallery.pictures.indexOf(picture));
  const others = sets.hasCells && set.id === 'composition' ? othersOf(set, gallery) : undefined;
  const otherStyle = others && {
    ...(candidates ? { features: byOthers(candidates, rows, others, looking) } : {}),
    pixels: placesByPixels({
      ...looking,
      queries: others.map((some, i) =>
        nearestInPixels(
          set.chosen[i],
          some.map((one) => gallery.pictures[one]),
        ),
      ),
      candidates: gallery.pictures,
    }),
  };
  await nextTask();
  signal.throwIfAborted();
  return {
    ...{ ...found, gallery, otherStyle },
    candidates: among.reduce((sum, { length }) => sum + length, 0) / among.length,
    hasShared: {
      own: among.some((some, i) => countOf(some, i, looking.right.own) > 1),
      group: among.some((some, i) => countOf(some, i, looking.right.group) > countOf(some, i, looking.right.own)),
    },
    ...(pair ? await byTexts(pair) : {}),
  };

  async function byTexts({
    pictures,
    texts,
  }: NonNullable<typeof pair>): Promise<Pick<FoundSet, 'captions' | 'agreement'>> {
    const all = pictures === features && candidates ? candidates : await realFeatures(pictures);
    const queries = await texts(set.chosen.map(({ caption = '' }) => caption));
    const images = pictures === features && drawn ? drawn : await pictures.drawn(drawings, { signal });
    return {
      captions: placesByFeatures({ ...looking, queries, candidates: all }),
      agreement: {
        drawn: textImageAgreement({ images, texts: queries }).score,
        real: textImageAgreement({ images: rowsOf(all, rows), texts: queries }).score,
      },
    };
  }
}

function countOf(
  candidates: readonly number[],
  query: number,
  isRight: (query: number, candidate: number) => boolean,
): number {
  return candidates.reduce((count, candidate) => count + Number(isRight(query, candidate)), 0);
}

/** Pictures of one caption, such as a class, cannot be told apart by it. */
function isOwn(asked: Example, other: Example): boolean {
  return asked === other || (asked.caption !== undefined && asked.caption === other.caption);
}

/** Of each picture, those of its emoji in other styles that were trained on; undefined where one has none. */
function othersOf({ chosen }: PictureSet, { pictures }: Gallery): number[][] | undefined {
  const byGroup = new Map<string, number[]>();
  pictures.forEach(({ group, split, heldOutAs }, i) => {
    if (split === 'heldOut' || heldOutAs !== undefined) return;
    byGroup.set(group, [...(byGroup.get(group) ?? []), i]);
  });
  const others = chosen.map((picture) => {
    const style = styleOf(picture);
    return (byGroup.get(picture.group) ?? []).filter((one) => styleOf(pictures[one]) !== style);
  });
  return others.every(({ length }) => length > 0) ? others : undefined;
}

function byOthers(
  candidates: Features,
  rows: readonly number[],
  others: readonly (readonly number[])[],
  looking: Pick<Parameters<typeof placesByFeatures<'own' | 'group'>>[0], 'among' | 'right'>,
): Senses {
  const nearest = others.map((some, i) => {
    const similarities = some.map((one) => cosine(candidates, rows[i], one));
    return some[similarities.indexOf(Math.max(...similarities))];
  });
  return placesByFeatures({ ...looking, queries: rowsOf(candidates, nearest), candidates });
}

function cosine({ data, dimensions }: Features, a: number, b: number): number {
  let [product, left, right] = [0, 0, 0];
  for (let d = 0; d < dimensions; d++) {
    const [x, y] = [data[a * dimensions + d], data[b * dimensions + d]];
    product += x * y;
    left += x * x;
    right += y * y;
  }
  return product / Math.sqrt(left * right);
}

function nearestInPixels(picture: Example, others: readonly Example[]): RgbImage {
  const image = imageOf(picture);
  const errors = others.map((other) => squaredError(image, other));
  return imageOf(others[errors.indexOf(Math.min(...errors))]);
}

/** Some rows of features, in this order. */
export function rowsOf({ data, dimensions }: Features, rows: readonly number[]): Features {
  const some = new Float32Array(rows.length * dimensions);
  rows.forEach((row, i) => some.set(data.subarray(row * dimensions, (row + 1) * dimensions), i * dimensions));
  return { count: rows.length, dimensions, data: some };
}
