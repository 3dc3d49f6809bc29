/** @file Byte-pair encoding (Sennrich et al. 2016): characters, merged in the order in which training found the pairs. */

import { applyMerges, type MergeTable } from './merges.js';
import { byteFallback, type Model, type TokenIds } from './model.js';

export interface BpeOptions {
  vocabulary: TokenIds;
  merges: MergeTable;
  /** Without one, characters that have no token are left out. */
  unknown: number | undefined;
  /** Whether unknown characters in a row are one token. */
  fuseUnknown: boolean;
  byteFallback: boolean;
  /** Whether a piece that is a token is that token, whatever merges make of it. */
  ignoreMerges: boolean;
  /** Stands before characters that do not begin a word. */
  prefix: string;
  /** Stands behind the last character of a word. */
  suffix: string;
}

const CACHE_CAPACITY = 20_000;
const MAX_CACHED_LENGTH = 64;

export function createBpe(options: BpeOptions): Model {
  const { vocabulary, merges, unknown, prefix, suffix } = options;
  const cache = new Map<string, number[]>();

  function symbols(word: string): number[] {
    const ids: number[] = [];
    /** Whether an unknown token is still to be added. It waits for the next token from the vocabulary, not for bytes. */
    let isUnknownPending = false;
    for (let start = 0; start < word.length; ) {
      const end = start + (word.codePointAt(start)! > 0xffff ? 2 : 1);
      const symbol = (start > 0 ? prefix : '') + word.slice(start, end) + (end === word.length ? suffix : '');
      start = end;
      const id = vocabulary.get(symbol);
      if (id !== undefined) {
        if (isUnknownPending) ids.push(unknown!);
        isUnknownPending = false;
        ids.push(id);
        continue;
      }
      const bytes = options.byteFallback ? byteFallback(symbol, vocabulary) : undefined;
      if (bytes) {
        ids.push(...bytes);
      } else if (unknown !== undefined) {
        if (isUnknownPending && !options.fuseUnknown) ids.push(unknown);
        isUnknownPending = true;
      }
    }
    if (isUnknownPending) ids.push(unknown!);
    return ids;
  }

  function tokens(word: string): number[] {
    const whole = options.ignoreMerges ? vocabulary.get(word) : undefined;
    return whole === undefined ? applyMerges(symbols(word), merges) : [whole];
  }

  return {
    tokenize(piece, ids) {
      let found = cache.get(piece);
      if (!found) {
        found = tokens(piece);
        if (piece.length <= MAX_CACHED_LENGTH) {
          if (cache.size === CACHE_CAPACITY) cache.clear();
          cache.set(piece, found);
        }
      }
      for (const id of found) ids.push(id);
    },
  };
}
