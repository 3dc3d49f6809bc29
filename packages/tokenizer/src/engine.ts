/**
 * @file Text to ids and back by the components of a `tokenizer.json`, as the native `tokenizers` does it. Its
 * `post_processor` only adds control tokens around texts, and `truncation` and `padding` make texts of one length: they
 * are not read.
 */
import { AddedTokens } from './added-tokens.js';
import { createDecoder, type Decoder } from './decoders/create-decoder.js';
import { createModel } from './models/create-model.js';
import type { Model } from './models/model.js';
import { createNormalizer, type Normalizer } from './normalizers/create-normalizer.js';
import { createPreTokenizer, mentionsFirst } from './pre-tokenizers/create-pre-tokenizer.js';
import type { PreTokenizer } from './pre-tokenizers/split.js';
import type { AddedToken, TokenizerJson } from './tokenizer-json.js';
import { type ComponentConfig, Place } from './unsupported.js';
import type { Vocabulary } from './vocabulary.js';

export interface EngineOptions {
  json: TokenizerJson;
  vocabulary: Vocabulary;
  /** All added tokens; the special ones never come out of `encode`. */
  addedTokens: readonly AddedToken[];
  /** Names the file in errors. */
  where: string;
}

export class Engine {
  readonly #addedTokens: AddedTokens;
  readonly #preTokenizer: PreTokenizer;
  readonly #model: Model;
  readonly #decoder: Decoder;
  readonly #tokens: ReadonlyMap<number, string>;
  readonly #addedContents: Map<number, string>;

  /** @throws TokenizerError TOKENIZER_FORMAT, TOKENIZER_UNSUPPORTED */
  constructor({ json, vocabulary, addedTokens, where }: EngineOptions) {
    const { normalizer, pre_tokenizer: preTokenizer, decoder } = json;
    const place = (component: string) => new Place(where, [component]);
    const normalize: Normalizer = normalizer ? createNormalizer(normalizer, place('normalizer')) : (text) => text;
    const inText = addedTokens.filter((token) => !token.special);
    if (normalizer && mentionsFirst(preTokenizer) && inText.some((token) => token.normalized)) {
      throw place('pre_tokenizer').unsupported(
        'prepend_scheme "first" of Metaspace, together with a normalizer and normalized added tokens',
        'make "normalized" of the added tokens false, or prepend_scheme "always" or "never"',
      );
    }
    this.#addedTokens = new AddedTokens(inText, normalize, place('added_tokens'));
    this.#preTokenizer = preTokenizer ? createPreTokenizer(preTokenizer, place('pre_tokenizer')) : (text) => [text];
    this.#model = createModel({
      config: json.model,
      vocabulary,
      reserved: new Set(addedTokens.filter((token) => token.special).map((token) => token.id)),
      isByteLevel: endsInBytes(preTokenizer, 'pretokenizers') || endsInBytes(normalizer, 'normalizers'),
      place: place('model'),
    });
    this.#decoder = decoder ? createDecoder(decoder, place('decoder')) : (tokens) => [tokens.join(' ')];
    this.#tokens = vocabulary.tokens;
    this.#addedContents = new Map(
      // As the native library spells them: those that it finds in the normalized text, normalized.
      addedTokens.map(({ id, content, normalized, special }) => [
        id,
        normalized && !special ? normalize(content) : content,
      ]),
    );
  }

  /** @param text without unpaired surrogates */
  encode(text: string): number[] {
    const ids: number[] = [];
    for (const section of this.#addedTokens.split(text)) {
      if ('id' in section) ids.push(section.id);
      else {
        for (const piece of this.#preTokenizer(section.text, section.isFirst)) this.#model.tokenize(piece, ids);
      }
    }
    return ids;
  }

  /** Ids that stand for nothing are left out: a vocabulary may have holes. */
  decode(ids: readonly number[]): string {
    const tokens: string[] = [];
    for (const id of ids) {
      const token = this.#addedContents.get(id) ?? this.#tokens.get(id);
      if (token !== undefined) tokens.push(token);
    }
    return this.#decoder(tokens).join('');
  }
}

/** Whether the last step of a component is ByteLevel, so that what comes out are the characters of `byteAlphabet`. */
function endsInBytes(config: ComponentConfig | null | undefined, children: string): boolean {
  if (config?.type !== 'Sequence') return config?.type === 'ByteLevel';
  return endsInBytes((config[children] as ComponentConfig[]).at(-1), children);
}
