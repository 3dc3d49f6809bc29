/** @file The Hugging Face engine, set up so that text never turns into control tokens. */
import { Tokenizer as Engine } from '@huggingface/tokenizers';
import { TokenizerError } from './errors.js';
import { type AddedToken, type TokenizerJson, unknownId } from './tokenizer-json.js';

/** Text is made well-formed before it is encoded, so nothing that starts with an unpaired surrogate occurs in it. */
function unspellable(id: number): string {
  return `\ud800${id}`;
}

/**
 * The model with the reserved tokens respelled to what no text contains; ids stay. This is needed where the vocabulary
 * itself holds them: the Viterbi search of a Unigram model would find a typed `</s>`.
 */
function withoutReserved(json: TokenizerJson, reserved: Set<number>): TokenizerJson['model'] {
  const { vocab, merges } = json.model;
  const spellings = new Set<string>();
  const respell = (token: string, id: number) => {
    if (!reserved.has(id)) return token;
    spellings.add(token);
    return unspellable(id);
  };
  const respelled = Array.isArray(vocab)
    ? vocab.map(([token, score], id): [string, number] => [respell(token, id), score])
    : Object.fromEntries(Object.entries(vocab).map(([token, id]) => [respell(token, id), id]));
  const spellsReserved = (merge: string | [string, string]) => {
    return spellings.has(typeof merge === 'string' ? merge.replace(' ', '') : merge.join(''));
  };
  return {
    ...json.model,
    vocab: respelled,
    merges:
      merges && ((merges as (string | [string, string])[]).filter((merge) => !spellsReserved(merge)) as typeof merges),
  };
}

/**
 * @param addedTokens all added tokens; the special ones are reserved: they never come out of `encode`
 * @throws TokenizerError TOKENIZER_UNSUPPORTED
 */
export function createEngine(json: TokenizerJson, addedTokens: AddedToken[], where: string): Engine {
  const reserved = new Set(addedTokens.filter((token) => token.special).map((token) => token.id));
  const unknown = unknownId(json);
  if (unknown !== undefined) reserved.delete(unknown);
  try {
    return new Engine(
      {
        normalizer: json.normalizer ?? null,
        pre_tokenizer: json.pre_tokenizer ?? null,
        post_processor: null,
        decoder: json.decoder ?? null,
        model: withoutReserved(json, reserved),
        added_tokens: addedTokens.filter((token) => !token.special),
      },
      // "Cleaning up" removes spaces before punctuation: decoding would not return what was encoded.
      { clean_up_tokenization_spaces: false, unk_token: json.model.unk_token },
    );
  } catch (error) {
    throw new TokenizerError({
      code: 'TOKENIZER_UNSUPPORTED',
      message: `${where}: ${error instanceof Error ? error.message : error}`,
      fix: 'this kind of tokenizer cannot be used; choose one that @huggingface/tokenizers supports',
      cause: error,
    });
  }
}
