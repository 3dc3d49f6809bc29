/**
 * @file Trains a byte-level BPE tokenizer (Sennrich et al. 2016; Radford et al. 2019) in a browser, where the native trainer of
 * @transfusion/tokenizer/train does not run: merges of the most frequent pair; of equally frequent ones of that whose tokens came
 * first, bytes in the order of their spellings.
 */
import { Tokenizer, type TokenizerJson } from '@transfusion/tokenizer';

const CONTROL_TOKENS = 5;
/** More than there are. */
const IDS = 65_536;
/** GPT-2's words: each with the space before it. */
const WORDS = /'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** @param vocabularySize ids in all: 256 bytes, merges, 5 control tokens; fewer come out of few texts */
export function trainTokenizer(texts: readonly string[], vocabularySize: number): TokenizerJson {
  const alphabet = byteAlphabet();
  const tokens = [...alphabet];
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const words = countWords(texts).map(({ bytes, count }) => ({ ids: [...bytes], count }));
  const sorted = [...alphabet].sort((a, b) => (a < b ? -1 : 1));
  const ranks = alphabet.map((character) => sorted.indexOf(character));
  const rankOf = (id: number) => ranks[id] ?? id;
  const merges: [string, string][] = [];
  while (tokens.length < vocabularySize - CONTROL_TOKENS) {
    const pair = mostFrequentPair(words, rankOf);
    if (!pair) break;
    const [left, right] = pair;
    merges.push([tokens[left], tokens[right]]);
    const merged = tokens[left] + tokens[right];
    let id = ids.get(merged);
    if (id === undefined) {
      id = tokens.push(merged) - 1;
      ids.set(merged, id);
    }
    for (const word of words) word.ids = mergePair(word.ids, left, right, id);
  }
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  const model = {
    ...{ type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null },
    ...{ fuse_unk: false, byte_fallback: false, ignore_merges: false, vocab: Object.fromEntries(ids), merges },
  };
  const untrained = { version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer: null };
  // Adds the control tokens.
  return new Tokenizer({
    ...{ ...untrained, pre_tokenizer: byteLevel, post_processor: null, decoder: byteLevel, model },
  }).toJson();
}

function countWords(texts: readonly string[]): { bytes: Uint8Array; count: number }[] {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const line of text.split('\n')) {
      for (const [word] of line.matchAll(WORDS)) counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  const encoder = new TextEncoder();
  return [...counts].map(([word, count]) => ({ bytes: encoder.encode(word), count }));
}

function mostFrequentPair(
  words: readonly { ids: number[]; count: number }[],
  rankOf: (id: number) => number,
): [number, number] | undefined {
  const counts = new Map<number, number>();
  for (const { ids, count } of words) {
    for (let i = 1; i < ids.length; i++) {
      const key = ids[i - 1] * IDS + ids[i];
      counts.set(key, (counts.get(key) ?? 0) + count);
    }
  }
  let best: { pair: [number, number]; count: number; rank: number } | undefined;
  for (const [key, count] of counts) {
    if (best && count < best.count) continue;
    const pair: [number, number] = [Math.floor(key / IDS), key % IDS];
    const rank = rankOf(pair[0]) * IDS + rankOf(pair[1]);
    if (!best || count > best.count || rank < best.rank) best = { pair, count, rank };
  }
  return best?.pair;
}

function mergePair(ids: number[], left: number, right: number, merged: number): number[] {
  const result: number[] = [];
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] === left && ids[i + 1] === right) {
      result.push(merged);
      i++;
    } else result.push(ids[i]);
  }
  return result;
}

/** GPT-2's spelling of bytes: printable ones are themselves, the others follow at U+0100. */
function byteAlphabet(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCharCode(isPrintable ? byte : next++);
  });
}
