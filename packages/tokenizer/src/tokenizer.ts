/** @file Text to token ids and back, with control tokens that no text can spell. */
import { type ControlTokenName, type ControlTokens, resolveControlTokens } from './control-tokens.js';
import { Engine } from './engine.js';
import { TokenizerError } from './errors.js';
import { type AddedToken, parseTokenizerJson, type TokenizerJson } from './tokenizer-json.js';
import { readVocabulary } from './vocabulary.js';
import { readAddedTokens, withNativeIds } from './vocabulary-ids.js';

export interface TokenizerOptions {
  /** Names the file in errors; default `tokenizer.json`. */
  where?: string;
  /**
   * Spellings of control tokens that the file has under other names than the usual ones (`<s>`, `</s>`,
   * `<|begin_of_text|>`, `<|end_of_text|>`, `<bos>`, `<eos>`, `<|endoftext|>`, `<pad>`).
   */
  controlTokens?: Partial<Record<ControlTokenName, string>>;
  /**
   * Further special tokens by their spelling, such as those that announce image sizes: no text gives them, and `toJson` has
   * them. Those that the file lacks get the next ids. Default: none.
   */
  specialTokens?: readonly string[];
}

export interface DecodeOptions {
  /** Leave control tokens out (default) or spell them. */
  skipSpecial?: boolean;
  /**
   * Ids that stand before these, as those of a prompt before what continues it: what a token spells may depend on them
   * (a space before a word). Their own text is left out. Default: none.
   */
  context?: ArrayLike<number>;
}

/**
 * Text to token ids and back, by a Hugging Face `tokenizer.json`: with the ids of the native library, or not at all.
 * Control tokens that the file lacks get ids after its vocabulary (see `toJson`).
 */
export class Tokenizer {
  readonly special: ControlTokens;
  /** All special tokens, the control tokens among them: spelling to id. */
  readonly specialTokens: ReadonlyMap<string, number>;
  /** One more than the largest id: the rows of an embedding table. */
  readonly vocabularySize: number;
  readonly #json: TokenizerJson;
  readonly #addedTokens: AddedToken[];
  readonly #engine: Engine;
  /** The control tokens, and other special tokens that the file declares. */
  readonly #specialIds: Set<number>;

  /**
   * @param json the file's text, or the object parsed from it
   * @throws TokenizerError TOKENIZER_FORMAT, TOKENIZER_TOO_LARGE, TOKENIZER_UNSUPPORTED, TOKENIZER_CONTROL_TOKENS
   */
  constructor(json: unknown, options: TokenizerOptions = {}) {
    const { where = 'tokenizer.json', controlTokens, specialTokens } = options;
    this.#json = parseTokenizerJson(json, where);
    const vocabulary = readVocabulary(this.#json.model);
    const fileTokens = readAddedTokens(this.#json.added_tokens ?? [], vocabulary, where);
    const resolved = resolveControlTokens(vocabulary, fileTokens, controlTokens, specialTokens);
    this.special = resolved.special;
    this.vocabularySize = resolved.vocabularySize;
    this.#addedTokens = resolved.addedTokens;
    this.#engine = new Engine({ json: this.#json, vocabulary, addedTokens: resolved.addedTokens, where });
    const specials = resolved.addedTokens.filter((token) => token.special);
    this.specialTokens = new Map(specials.map(({ content, id }) => [content, id]));
    this.#specialIds = new Set(this.specialTokens.values());
  }

  /**
   * Token ids of a text. No control token ever comes out of text, whatever is typed; none are added around it.
   * Unpaired surrogates become U+FFFD.
   */
  encode(text: string): number[] {
    return this.#engine.encode(text.replace(/\p{Surrogate}/gu, '\ufffd'));
  }

  /**
   * The text of token ids. Bytes that are not UTF-8 (a character cut in half) become U+FFFD. With `context`,
   * `decode(a) + decode(b, { context: a })` is the text of both; only a character that the context breaks off comes out
   * behind its U+FFFD, whole.
   *
   * @throws TokenizerError TOKENIZER_ID_RANGE
   */
  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    const { skipSpecial = true, context = [] } = options;
    const known = this.#spoken(context, 'context', skipSpecial);
    const spoken = this.#spoken(ids, 'ids', skipSpecial);
    if (known.length === 0) return this.#engine.decode(spoken);
    const before = this.#engine.decode(known);
    const whole = this.#engine.decode([...known, ...spoken]);
    return whole.slice(commonLength(before, whole));
  }

  /** The ids that text is made of. */
  #spoken(ids: ArrayLike<number>, name: string, skipSpecial: boolean): number[] {
    const spoken: number[] = [];
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i];
      if (!Number.isInteger(id) || id < 0 || id >= this.vocabularySize) {
        throw new TokenizerError({
          code: 'TOKENIZER_ID_RANGE',
          message: `decode: ${name}[${i}] is ${id}, the vocabulary has ids 0 to ${this.vocabularySize - 1}`,
          fix: 'decode with the tokenizer the model was trained with',
        });
      }
      if (!skipSpecial || !this.#specialIds.has(id)) spoken.push(id);
    }
    return spoken;
  }

  /** Whether an id is a control token (or another special token of the file). */
  isSpecial(id: number): boolean {
    return this.#specialIds.has(id);
  }

  /**
   * The `tokenizer.json`, control tokens recorded as `added_tokens`: Hugging Face libraries read it with the same ids. If
   * ids are unused they have tokens of their own there, because those libraries number added tokens anew.
   */
  toJson(): TokenizerJson {
    const { version = '1.0', normalizer = null, pre_tokenizer = null, decoder = null } = this.#json;
    const { post_processor = null } = this.#json;
    const { model, addedTokens } = withNativeIds({
      model: this.#json.model,
      addedTokens: this.#addedTokens,
      vocabularySize: this.vocabularySize,
    });
    return {
      ...this.#json,
      version,
      truncation: null,
      padding: null,
      added_tokens: addedTokens,
      normalizer,
      pre_tokenizer,
      post_processor,
      decoder,
      model,
    };
  }
}

/** How far two texts are the same, in whole characters. */
function commonLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  const isInsideCharacter = length > 0 && b.codePointAt(length - 1)! > 0xffff;
  return isInsideCharacter ? length - 1 : length;
}
