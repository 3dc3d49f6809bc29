/** @file Unigram: the segmentation of the highest probability (Kudo 2018), found by the Viterbi algorithm. */
import { byteFallback, type Model, type TokenIds } from './model.js';
import { PieceIndex } from './piece-index.js';

/** An unknown character is this much less likely than the least likely token. */
const UNKNOWN_PENALTY = 10;

export interface UnigramOptions {
  /** Tokens with their scores, of which the index is the id. */
  pieces: readonly (readonly [token: string, score: number])[];
  vocabulary: TokenIds;
  unknown: number;
  byteFallback: boolean;
}

export function createUnigram({ pieces, vocabulary, unknown, byteFallback: hasBytes }: UnigramOptions): Model {
  const index = new PieceIndex([...vocabulary.keys()]);
  let least = Number.POSITIVE_INFINITY;
  for (const [, score] of pieces) least = Math.min(least, score);
  const unknownScore = least - UNKNOWN_PENALTY;

  /** The tokens of the best segmentation, last first. */
  function segment(text: string): { start: number; end: number; isUnknown: boolean }[] {
    const scores = new Float64Array(text.length + 1);
    const starts = new Int32Array(text.length + 1).fill(-1);
    const ids = new Int32Array(text.length + 1);
    const reach = (start: number, end: number, id: number, score: number) => {
      if (starts[end] >= 0 && score <= scores[end]) return;
      starts[end] = start;
      ids[end] = id;
      scores[end] = score;
    };
    for (let start = 0; start < text.length; ) {
      const width = text.codePointAt(start)! > 0xffff ? 2 : 1;
      let coversCharacter = false;
      index.forEachPrefix(text, start, (piece) => {
        const id = vocabulary.get(piece)!;
        reach(start, start + piece.length, id, scores[start] + pieces[id][1]);
        coversCharacter ||= piece.length === width;
      });
      if (!coversCharacter) reach(start, start + width, unknown, scores[start] + unknownScore);
      start += width;
    }
    const segments = [];
    for (let end = text.length; end > 0; end = starts[end]) {
      segments.push({ start: starts[end], end, isUnknown: ids[end] === unknown });
    }
    return segments;
  }

  return {
    tokenize(piece, ids) {
      const segments = segment(piece);
      for (let i = segments.length - 1; i >= 0; i--) {
        const { start, isUnknown } = segments[i];
        // Unknown characters in a row are one token.
        while (isUnknown && i > 0 && segments[i - 1].isUnknown) i--;
        const token = piece.slice(start, segments[i].end);
        const id = vocabulary.get(token);
        if (id !== undefined) ids.push(id);
        else for (const part of (hasBytes && byteFallback(token, vocabulary)) || [unknown]) ids.push(part);
      }
    },
  };
}
