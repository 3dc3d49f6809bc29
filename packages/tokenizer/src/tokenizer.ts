import type { Tokenizer as Engine } from '@huggingface/tokenizers';
import { type ControlTokenName, type ControlTokens, resolveControlTokens } from './control-tokens.js';
import { createEngine } from './engine.js';
import { TokenizerError } from './errors.js';
import { type AddedToken, parseTokenizerJson, type TokenizerJson } from './tokenizer-json.js';

export interface TokenizerOptions {
  /** Names the file in errors; default `tokenizer.json`. */
  where?: string;
  /**
   * Spellings of control tokens that the file has under other names than the usual ones (`<s>`, `</s>`,
   * `<|begin_of_text|>`, `<|end_of_text|>`, `<bos>`, `<eos>`, `<|endoftext|>`, `<pad>`).
   */
  controlTokens?: Partial<Record<ControlTokenName, string>>;
}

/**
 * Text to token ids and back, by any Hugging Face `tokenizer.json`. Control tokens that the file lacks get ids after
 * its vocabulary (see `toJson`).
 */
export class Tokenizer {
  readonly special: ControlTokens;
  /** One more than the largest id: the rows of an embedding table. */
  readonly vocabularySize: number;
  readonly #json: TokenizerJson;
  readonly #addedTokens: AddedToken[];
  readonly #engine: Engine;
  /** Spelling of every special token: the control tokens, and others that the file declares. */
  readonly #specialSpellings: Map<number, string>;

  /**
   * @param json the file's text, or the object parsed from it
   * @throws TokenizerError TOKENIZER_FORMAT, TOKENIZER_TOO_LARGE, TOKENIZER_UNSUPPORTED, TOKENIZER_CONTROL_TOKENS
   */
  constructor(json: unknown, options: TokenizerOptions = {}) {
    const { where = 'tokenizer.json', controlTokens } = options;
    this.#json = parseTokenizerJson(json, where);
    const resolved = resolveControlTokens(this.#json, controlTokens);
    this.special = resolved.special;
    this.vocabularySize = resolved.vocabularySize;
    this.#addedTokens = resolved.addedTokens;
    this.#engine = createEngine(this.#json, resolved.addedTokens, where);
    const specialTokens = resolved.addedTokens.filter((token) => token.special);
    this.#specialSpellings = new Map(specialTokens.map((token) => [token.id, token.content]));
  }

  /**
   * Token ids of a text. No control token ever comes out of text, whatever is typed; none are added around it.
   * Unpaired surrogates become U+FFFD.
   */
  encode(text: string): number[] {
    const wellFormed = text.replace(/\p{Surrogate}/gu, '\ufffd');
    if (wellFormed.length === 0) return [];
    // Without an unknown token, a model that does not cover all bytes leaves out what it cannot spell.
    return this.#engine.encode(wellFormed).ids.filter((id) => id !== undefined);
  }

  /**
   * The text of token ids. Bytes that are not UTF-8 (a character cut in half) become U+FFFD.
   *
   * @param options.skipSpecial leave control tokens out (default) or spell them
   * @throws TokenizerError TOKENIZER_ID_RANGE
   */
  decode(ids: ArrayLike<number>, options: { skipSpecial?: boolean } = {}): string {
    const { skipSpecial = true } = options;
    let text = '';
    let run: number[] = [];
    const flush = () => {
      if (run.length > 0) text += this.#engine.decode(run);
      run = [];
    };
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i];
      if (!Number.isInteger(id) || id < 0 || id >= this.vocabularySize) {
        throw new TokenizerError({
          code: 'TOKENIZER_ID_RANGE',
          message: `decode: ids[${i}] is ${id}, the vocabulary has ids 0 to ${this.vocabularySize - 1}`,
          fix: 'decode with the tokenizer the model was trained with',
        });
      }
      const spelling = this.#specialSpellings.get(id);
      if (spelling === undefined) {
        // A vocabulary may have holes.
        if (this.#engine.id_to_token(id) !== undefined) run.push(id);
      } else if (!skipSpecial) {
        flush();
        text += spelling;
      }
    }
    flush();
    return text;
  }

  /** Whether an id is a control token (or another special token of the file). */
  isSpecial(id: number): boolean {
    return this.#specialSpellings.has(id);
  }

  /** The `tokenizer.json`, control tokens recorded as `added_tokens`: Hugging Face libraries read it with the same ids. */
  toJson(): TokenizerJson {
    const {
      version = '1.0',
      normalizer = null,
      pre_tokenizer = null,
      post_processor = null,
      decoder = null,
    } = this.#json;
    return {
      truncation: null,
      padding: null,
      ...this.#json,
      version,
      normalizer,
      pre_tokenizer,
      post_processor,
      decoder,
      added_tokens: this.#addedTokens,
    };
  }
}
