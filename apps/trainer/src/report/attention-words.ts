/** @file The words of a document and the picture that each goes with: what attention between the two is shown for. */
import type { AttentionMaps, SequencePlace } from '@transfusion/evaluation';

/** A word beside an image. */
export interface WordAttention {
  word: string;
  /** Index into the images of the maps. */
  image: number;
  /**
   * writes: the word stands behind the image, and its queries, the positions that predict its tokens, look at patches.
   * draws: it stands before the image, and patches look at its tokens.
   */
  kind: 'writes' | 'draws';
  /** Positions of the queries, or of the tokens. */
  at: number[];
}

/** Every word of the text, with the image before it, or where there is none the one behind. */
export function wordsOf({ places }: Pick<AttentionMaps, 'places'>): WordAttention[] {
  const words: WordAttention[] = [];
  let before: number | undefined;
  places.forEach((place, at) => {
    if (place.kind === 'patch') before = place.image;
    if (place.kind === 'patch' || place.isControl) return;
    const previous = places[at - 1];
    const kind = before === undefined ? 'draws' : 'writes';
    const image = before ?? imageBehind(places, at);
    if (image === undefined) return;
    const own = kind === 'writes' ? at - 1 : at;
    const last = words.at(-1);
    const isWithin =
      previous?.kind === 'token' && !previous.isControl && !/^\s/.test(place.text) && !/\s$/.test(previous.text);
    if (last && isWithin) {
      last.word += place.text;
      last.at.push(own);
    } else {
      words.push({ word: place.text, image, kind, at: [own] });
    }
  });
  return words.map((each) => ({ ...each, word: each.word.trim() })).filter(({ word }) => word !== '');
}

function imageBehind(places: readonly SequencePlace[], at: number): number | undefined {
  const patch = places.slice(at).find((place) => place.kind === 'patch');
  return patch?.kind === 'patch' ? patch.image : undefined;
}

/**
 * What a word and each patch of its image have to do with each other, by weights [T, T].
 *
 * @returns `light`: per patch, from 0 to 1, the strongest being 1; `share`: how much of what is looked at is the image, or the word
 */
export function wordLight(
  { kind, at }: Pick<WordAttention, 'kind' | 'at'>,
  patches: readonly number[],
  weights: Float64Array,
): { light: number[]; share: number } {
  const T = Math.sqrt(weights.length);
  const between = patches.map((patch) => {
    const each = at.map((own) => (kind === 'writes' ? weights[own * T + patch] : weights[patch * T + own]));
    const sum = each.reduce((total, weight) => total + weight, 0);
    return kind === 'writes' ? sum / at.length : sum;
  });
  const total = between.reduce((sum, weight) => sum + weight, 0);
  const most = Math.max(...between);
  return {
    light: between.map((weight) => (most > 0 ? weight / most : 0)),
    share: kind === 'writes' ? total : total / patches.length,
  };
}
