/** @file Trains a byte-level BPE tokenizer (Sennrich et al. 2016; Radford et al. 2019) with the native `tokenizers`. */

import { byteAlphabet } from '../byte-alphabet.js';
import { TokenizerError } from '../errors.js';
import { Tokenizer } from '../tokenizer.js';
import { parseTokenizerJson, type TokenizerJson } from '../tokenizer-json.js';
import { runNativeTrainer } from './native-trainer.js';

const CONTROL_TOKENS = 5;
const LEAST = 256 + CONTROL_TOKENS;
/** The native trainer's own limit: it stops at 30,000 tokens, of which the bytes it saw are part. */
const MOST = 30_000;

export interface TrainOptions {
  texts: string[];
  /** Ids in all: 256 bytes, merges, 5 control tokens; 261 to 30,000. Fewer come out where the texts have no more merges. */
  vocabularySize: number;
  /** Ends the training. */
  signal?: AbortSignal;
}

const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };

function bpeModel(vocab: Record<string, number>, merges: [string, string][]) {
  return {
    type: 'BPE' as const,
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    vocab,
    merges,
  };
}

/**
 * Trains on the texts and returns the `tokenizer.json`: 256 bytes first, so that any text round-trips, then merges, then
 * the control tokens. The same texts give the same file, in whatever order they come. Newlines are never merged with
 * other characters, and of what is longer than a word without a space in it (64 characters) the pieces are learned from.
 *
 * @throws TokenizerError TOKENIZER_TRAINING, TOKENIZER_TRAINER_MISSING; what `signal` was aborted with
 */
export async function trainByteLevelBpe(options: TrainOptions): Promise<TokenizerJson> {
  const { texts, vocabularySize, signal } = options;
  if (!Number.isInteger(vocabularySize) || vocabularySize < LEAST || vocabularySize > MOST) {
    throw new TokenizerError({
      code: 'TOKENIZER_TRAINING',
      message: `vocabularySize is ${vocabularySize}, expected an integer from ${LEAST} (256 bytes and ${CONTROL_TOKENS} control tokens) to ${MOST}`,
      fix: 'give vocabularySize within these bounds',
    });
  }
  const newlines = { type: 'Split', pattern: { String: '\n' }, behavior: 'Removed', invert: false };
  const untrained = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: 'Sequence', pretokenizers: [newlines, byteLevel] },
    post_processor: null,
    decoder: byteLevel,
    model: bpeModel({}, []),
  };
  const hasText = texts.some((text) => text.replaceAll('\n', '').length > 0);
  const learned = hasText
    ? parseTokenizerJson(await runNativeTrainer(untrained, texts, signal), 'the native trainer').model.merges
    : [];

  // BPE is greedy: the first merges of a long training are those of a short one.
  const vocab = new Map(byteAlphabet().map((character, byte) => [character, byte]));
  const merges: [string, string][] = [];
  for (const merge of (learned ?? []) as [string, string][]) {
    if (vocab.size === vocabularySize - CONTROL_TOKENS) break;
    merges.push(merge);
    const token = merge.join('');
    if (!vocab.has(token)) vocab.set(token, vocab.size);
  }
  const model = bpeModel(Object.fromEntries(vocab), merges);
  return new Tokenizer({ ...untrained, pre_tokenizer: byteLevel, model }).toJson();
}
