/** @file WordPiece: the longest token that a word begins with, and again (Wu et al. 2016, as BERT does it). */
import type { Model, TokenIds } from './model.js';

export interface WordPieceOptions {
  vocabulary: TokenIds;
  unknown: number;
  /** Stands before tokens that do not begin a word. */
  prefix: string;
  /** Longer words are unknown as a whole. */
  maxCharacters: number;
}

export function createWordPiece({ vocabulary, unknown, prefix, maxCharacters }: WordPieceOptions): Model {
  let longest = 1;
  for (const token of vocabulary.keys()) longest = Math.max(longest, token.length);

  function tokens(word: string): number[] | undefined {
    if (word.length > maxCharacters && Array.from(word).length > maxCharacters) return undefined;
    const ids: number[] = [];
    for (let start = 0; start < word.length; ) {
      let end = Math.min(word.length, start + longest);
      let id: number | undefined;
      for (; end > start; end--) {
        const token = word.slice(start, end);
        id = vocabulary.get(start > 0 ? prefix + token : token);
        if (id !== undefined) break;
      }
      if (id === undefined) return undefined;
      ids.push(id);
      start = end;
    }
    return ids;
  }

  return {
    tokenize(piece, ids) {
      const found = tokens(piece);
      if (!found) ids.push(unknown);
      else for (const id of found) ids.push(id);
    },
  };
}
