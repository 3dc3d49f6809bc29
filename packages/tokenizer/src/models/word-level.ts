/** @file WordLevel: every piece is a token, or unknown. */
import type { Model, TokenIds } from './model.js';

export function createWordLevel(vocabulary: TokenIds, unknown: number): Model {
  return {
    tokenize(piece, ids) {
      ids.push(vocabulary.get(piece) ?? unknown);
    },
  };
}
