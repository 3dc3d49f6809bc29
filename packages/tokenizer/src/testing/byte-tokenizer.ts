/** @file A tokenizer with a token for each byte, for tests. */
import { Tokenizer } from '../index.js';

/** GPT-2's spelling of bytes: printable ones are themselves, the others follow at U+0100. */
function byteSpellings(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCharCode(isPrintable ? byte : next++);
  });
}

/** A `tokenizer.json` with one token per byte; control tokens get ids 256 to 260: bos, eos, boi, eoi, pad. */
export function byteTokenizerJson() {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false };
  return {
    version: '1.0',
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: { type: 'BPE', vocab: Object.fromEntries(byteSpellings().map((token, id) => [token, id])), merges: [] },
  };
}

/** By their further special tokens. A tokenizer never changes, so who asks twice gets the same one. */
const made = new Map<string, Tokenizer>();

/** @param specialTokens further ones, with ids from 261 */
export function byteTokenizer(specialTokens: readonly string[] = []): Tokenizer {
  const key = JSON.stringify(specialTokens);
  const tokenizer = made.get(key) ?? new Tokenizer(byteTokenizerJson(), { specialTokens });
  made.set(key, tokenizer);
  return tokenizer;
}
