/** @file The tokens of a model, without the added ones. */
import type { ModelConfig } from './tokenizer-json.js';

export interface Vocabulary {
  ids: ReadonlyMap<string, number>;
  tokens: ReadonlyMap<number, string>;
  /** The id that stands for unknown text, if there is one. */
  unknown: number | undefined;
}

/** Of a piece that a Unigram model has twice, the last one counts. */
export function readVocabulary({ vocab, unk_id, unk_token }: ModelConfig): Vocabulary {
  const ids = new Map<string, number>();
  const tokens = new Map<number, string>();
  const add = (token: string, id: number) => {
    ids.set(token, id);
    tokens.set(id, token);
  };
  if (Array.isArray(vocab)) {
    vocab.forEach(([token], id) => add(token, id));
    return { ids, tokens, unknown: unk_id ?? undefined };
  }
  for (const [token, id] of Object.entries(vocab)) add(token, id);
  return { ids, tokens, unknown: unk_token == null ? undefined : ids.get(unk_token) };
}
