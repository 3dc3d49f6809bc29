/** @file The `model` of a `tokenizer.json`. */

import { byteAlphabet } from '../byte-alphabet.js';
import { TokenizerError } from '../errors.js';
import type { ModelConfig } from '../tokenizer-json.js';
import type { Place } from '../unsupported.js';
import type { Vocabulary } from '../vocabulary.js';
import { createBpe } from './bpe.js';
import { MergeTable } from './merges.js';
import type { Model } from './model.js';
import { createUnigram } from './unigram.js';
import { createWordLevel } from './word-level.js';
import { createWordPiece } from './word-piece.js';

export interface ModelOptions {
  config: ModelConfig;
  vocabulary: Vocabulary;
  /** Ids that must never come out of text. */
  reserved: ReadonlySet<number>;
  /** Whether the model sees bytes (see `byteAlphabet`), so that 256 tokens cover all texts. */
  isByteLevel: boolean;
  place: Place;
}

/** @throws TokenizerError TOKENIZER_FORMAT, TOKENIZER_UNSUPPORTED */
export function createModel(options: ModelOptions): Model {
  const { config, reserved } = options;
  /** What text may turn into. */
  const vocabulary = new Map(options.vocabulary.ids);
  for (const id of reserved) {
    const token = options.vocabulary.tokens.get(id);
    if (token !== undefined) vocabulary.delete(token);
  }
  switch (config.type) {
    case 'WordLevel':
      return createWordLevel(vocabulary, unknownToken(options));
    case 'WordPiece':
      return createWordPiece({
        vocabulary,
        unknown: unknownToken(options),
        prefix: config.continuing_subword_prefix ?? '##',
        maxCharacters: config.max_input_chars_per_word ?? 100,
      });
    case 'Unigram':
      return createUnigram({
        pieces: config.vocab as [string, number][],
        vocabulary,
        unknown: unknownPiece(options),
        byteFallback: config.byte_fallback ?? false,
      });
    case 'BPE':
      return createBpe({
        vocabulary,
        merges: readMerges(options),
        unknown: config.unk_token && !coversBytes(options) ? unknownToken(options) : undefined,
        fuseUnknown: config.fuse_unk ?? false,
        byteFallback: config.byte_fallback ?? false,
        ignoreMerges: config.ignore_merges ?? false,
        prefix: config.continuing_subword_prefix ?? '',
        suffix: config.end_of_word_suffix ?? '',
      });
  }
}

/** Whether nothing can be unknown. */
function coversBytes({ config, vocabulary, isByteLevel, reserved }: ModelOptions): boolean {
  if (!isByteLevel || config.continuing_subword_prefix || config.end_of_word_suffix) return false;
  return byteAlphabet().every((character) => {
    const id = vocabulary.ids.get(character);
    return id !== undefined && !reserved.has(id);
  });
}

function unknownToken({ config, vocabulary, place }: ModelOptions): number {
  if (vocabulary.unknown !== undefined) return vocabulary.unknown;
  throw place.unsupported(
    config.unk_token == null
      ? `unk_token is missing: a ${config.type} model needs a token for words it does not know`
      : `unk_token ${JSON.stringify(config.unk_token)} is not in the vocabulary, so unknown text has no id`,
    'make unk_token a token of the vocabulary',
  );
}

function unknownPiece({ config, vocabulary, place }: ModelOptions): number {
  const { unk_id: id } = config;
  const { size } = vocabulary.tokens;
  if (id == null) {
    throw place.unsupported('unk_id is missing, so unknown characters have no id', 'make unk_id the id of a token');
  }
  if (id < size) return id;
  throw new TokenizerError({
    code: 'TOKENIZER_FORMAT',
    message: `${place}.unk_id: ${id} is not in the vocabulary, which has ids 0 to ${size - 1}`,
    fix: 'make unk_id the id of a token',
  });
}

function readMerges({ config, vocabulary, reserved, place }: ModelOptions): MergeTable {
  const { continuing_subword_prefix: prefix, dropout } = config;
  if (dropout) {
    throw place.unsupported(`dropout is ${dropout}: merges would be left out at random`, 'make dropout null');
  }
  const pairs = (config.merges as (string | [string, string])[]).filter((merge) => {
    return typeof merge !== 'string' || !merge.startsWith('#version');
  });
  const table = new MergeTable(pairs.length);
  const idOf = (token: string, rank: number): number => {
    const id = vocabulary.ids.get(token);
    if (id !== undefined) return id;
    throw new TokenizerError({
      code: 'TOKENIZER_FORMAT',
      message: `${place}.merges[${rank}]: ${JSON.stringify(token)} is not in the vocabulary`,
      fix: 'vocabulary and merges are of different models: fetch the file again',
    });
  };
  pairs.forEach((merge, rank) => {
    const [left, right] = typeof merge === 'string' ? merge.split(' ') : merge;
    if (prefix && !right.startsWith(prefix)) {
      throw place.unsupported(
        `merges[${rank}]: ${JSON.stringify(right)} does not begin with ${JSON.stringify(prefix)}`,
      );
    }
    const merged = left + right.slice(prefix?.length ?? 0);
    const leftId = idOf(left, rank);
    const rightId = idOf(right, rank);
    const id = idOf(merged, rank);
    if (!(reserved.has(leftId) || reserved.has(rightId) || reserved.has(id))) table.set(leftId, rightId, { rank, id });
  });
  return table;
}
