/**
 * @file SentencePiece's rules of normalization, compiled into a double-array trie (Darts; Aoe 1989): a 32-bit size, the
 * trie's 32-bit units, then the replacements, each ended by a zero byte. All little-endian, in base64.
 */
import { z } from 'zod';
import type { ComponentConfig, Place } from '../unsupported.js';

const optionsSchema = z.looseObject({ precompiled_charsmap: z.string() });

/** Longer graphemes are never looked up whole. */
const MAX_GRAPHEME_BYTES = 5;
const CACHE_CAPACITY = 10_000;
const ascii = /^[\x20-\x7e]*$/;

/** @throws TokenizerError TOKENIZER_FORMAT, TOKENIZER_UNSUPPORTED */
export function createPrecompiled(config: ComponentConfig, place: Place): (text: string) => string {
  const { trie, replacements } = readCharsMap(place.read(optionsSchema, config).precompiled_charsmap, place);
  const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
  const encoder = new TextEncoder();
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const cache = new Map<string, string>();

  /** The replacement of the shortest beginning that has one stands for the whole. */
  function lookUp(bytes: Uint8Array): string | undefined {
    const begin = shortestPrefix(trie, bytes);
    if (begin === undefined) return undefined;
    const end = replacements.indexOf(0, begin);
    return decoder.decode(replacements.subarray(begin, end < 0 ? replacements.length : end));
  }

  function normalizeGrapheme(grapheme: string): string {
    const bytes = encoder.encode(grapheme);
    const whole = bytes.length <= MAX_GRAPHEME_BYTES ? lookUp(bytes) : undefined;
    if (whole !== undefined) return whole;
    return Array.from(grapheme, (character) => lookUp(encoder.encode(character)) ?? character).join('');
  }

  function cached(grapheme: string): string {
    let normalized = cache.get(grapheme);
    if (normalized === undefined) {
      normalized = normalizeGrapheme(grapheme);
      if (cache.size < CACHE_CAPACITY) cache.set(grapheme, normalized);
    }
    return normalized;
  }

  return (text) => {
    if (ascii.test(text)) return Array.from(text, cached).join('');
    return Array.from(segmenter.segment(text), ({ segment }) => cached(segment)).join('');
  };
}

function readCharsMap(base64: string, place: Place): { trie: Uint32Array; replacements: Uint8Array } {
  const bytes = fromBase64(base64);
  const view = bytes && new DataView(bytes.buffer);
  const size = view && view.byteLength >= 8 ? view.getUint32(0, true) : 0;
  if (!bytes || !view || size === 0 || size % 4 !== 0 || 4 + size > bytes.length) {
    throw place.unsupported(
      'precompiled_charsmap is not a compiled map of SentencePiece',
      'the file may be damaged: fetch or write it again',
    );
  }
  const trie = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
  return { trie, replacements: bytes.subarray(4 + size) };
}

function fromBase64(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

/** Where a unit's children begin, relative to it. */
function offset(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}

/** The value of the shortest key that the bytes begin with. */
function shortestPrefix(trie: Uint32Array, bytes: Uint8Array): number | undefined {
  let position = offset(trie[0]);
  for (const byte of bytes) {
    if (byte === 0) return undefined;
    position ^= byte;
    const unit = trie[position];
    // A unit's label is its lowest byte; the highest bit marks values, which have none.
    if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) return undefined;
    position ^= offset(unit);
    if (unit & 0x100) return trie[position] & 0x7fffffff;
  }
  return undefined;
}
