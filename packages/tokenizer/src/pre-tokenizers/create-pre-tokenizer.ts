/** @file How a text is cut before the model sees it: the `pre_tokenizer` of a `tokenizer.json`. */
import { z } from 'zod';
import { byteLevelText } from '../byte-alphabet.js';
import { literalMatcher, regexMatcher } from '../regex/matches.js';
import { patternSchema, readPattern } from '../regex/read-pattern.js';
import { characterRegex, classBody, complement } from '../unicode/character-class.js';
import { PUNCTUATION, SINCE_UNICODE_17 } from '../unicode/native-tables.js';
import { type ComponentConfig, MAX_DEPTH, type Place } from '../unsupported.js';
import { createMetaspacePreTokenizer } from './metaspace.js';
import { behaviorSchema, inverted, type PreTokenizer, splitter } from './split.js';

const byteLevelSchema = z.looseObject({ add_prefix_space: z.boolean(), use_regex: z.boolean().default(true) });
const splitSchema = z.looseObject({ pattern: patternSchema, behavior: behaviorSchema, invert: z.boolean() });
const delimiterSchema = z.looseObject({ delimiter: z.string().regex(/^.$/su, 'expected one character') });
const punctuationSchema = z.looseObject({ behavior: behaviorSchema.default('Isolated') });
const digitsSchema = z.looseObject({ individual_digits: z.boolean() });
const fixedLengthSchema = z.looseObject({ length: z.int().min(1).default(5) });

/** \p{L} and \p{N} as the native library has them. */
const newer = classBody(SINCE_UNICODE_17);
const letter = `[\\p{L}--[${newer}]]`;
const numeral = `[\\p{N}--[${newer}]]`;
/** GPT-2's. */
const wordPattern = new RegExp(
  `'s|'t|'re|'ve|'m|'ll|'d| ?${letter}+| ?${numeral}+| ?${complement(`[\\p{White_Space}${letter}${numeral}]`)}+|\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+`,
  'gv',
);
/** Rust's \w counts the two joiners, Oniguruma's some digits more. */
const rustWord = '[[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200c\\u200d]--[' + newer + ']]';
const words = new RegExp(`${rustWord}+|${complement(`[${rustWord}\\p{White_Space}]`)}+`, 'gv');

const whitespace = regexMatcher(/\p{White_Space}/gu);
const punctuation = regexMatcher(characterRegex(PUNCTUATION));
const numerals = regexMatcher(/\p{N}/gu);

/** @throws TokenizerError TOKENIZER_FORMAT, TOKENIZER_UNSUPPORTED */
export function createPreTokenizer(config: ComponentConfig, place: Place): PreTokenizer {
  switch (config.type) {
    case 'Sequence':
      return createSequence(config, place);
    case 'ByteLevel':
      return createByteLevel(config, place);
    case 'Metaspace':
      return createMetaspacePreTokenizer(config, place);
    case 'BertPreTokenizer':
      return inSequence([splitter(whitespace, 'Removed'), splitter(punctuation, 'Isolated')]);
    case 'Whitespace':
      return splitter(inverted(regexMatcher(words)), 'Removed');
    case 'WhitespaceSplit':
      return splitter(whitespace, 'Removed');
    case 'CharDelimiterSplit':
      return splitter(literalMatcher(place.read(delimiterSchema, config).delimiter), 'Removed');
    case 'Punctuation':
      return splitter(punctuation, place.read(punctuationSchema, config).behavior);
    case 'Digits':
      return splitter(numerals, place.read(digitsSchema, config).individual_digits ? 'Isolated' : 'Contiguous');
    case 'FixedLength':
      return createFixedLength(config, place);
    case 'Split': {
      const { pattern, behavior, invert } = place.read(splitSchema, config);
      const matcher = readPattern(pattern, place);
      return splitter(invert ? inverted(matcher) : matcher, behavior);
    }
    default:
      throw place.unsupported(`the pre-tokenizer ${JSON.stringify(config.type)}`);
  }
}

function inSequence(steps: PreTokenizer[]): PreTokenizer {
  return (text, isFirst) => {
    let pieces = [text];
    // Only the first step can know whether it sees the beginning of the text.
    steps.forEach((step, i) => {
      pieces = pieces.flatMap((piece) => step(piece, isFirst && i === 0));
    });
    return pieces;
  };
}

function createSequence(config: ComponentConfig, place: Place): PreTokenizer {
  const children = place.children(config, 'pretokenizers');
  children.slice(1).forEach(({ config: child, place: childPlace }) => {
    if (mentionsFirst(child)) {
      throw childPlace.unsupported(
        'prepend_scheme "first" behind another pre-tokenizer: which piece comes first depends on what that has done',
        'make Metaspace the first of the pretokenizers, or its prepend_scheme "always" or "never"',
      );
    }
  });
  return inSequence(children.map((child) => createPreTokenizer(child.config, child.place)));
}

/** Whether a Metaspace in it does something else at the beginning of a text. */
export function mentionsFirst(config: unknown, depth = 0): boolean {
  const { type, prepend_scheme, pretokenizers } = (config ?? {}) as Record<string, unknown>;
  if (type === 'Metaspace') return prepend_scheme === 'first';
  // What is nested deeper is refused (see `Place`).
  if (!Array.isArray(pretokenizers) || depth > MAX_DEPTH) return false;
  return pretokenizers.some((child) => mentionsFirst(child, depth + 1));
}

function createByteLevel(config: ComponentConfig, place: Place): PreTokenizer {
  const { add_prefix_space, use_regex } = place.read(byteLevelSchema, config);
  return (text) => {
    if (text === '') return [];
    const spaced = add_prefix_space && !text.startsWith(' ') ? ` ${text}` : text;
    const pieces = use_regex ? (spaced.match(wordPattern) ?? []) : [spaced];
    return pieces.map(byteLevelText);
  };
}

function createFixedLength(config: ComponentConfig, place: Place): PreTokenizer {
  const { length } = place.read(fixedLengthSchema, config);
  return (text) => {
    const characters = Array.from(text);
    const pieces: string[] = [];
    for (let i = 0; i < characters.length; i += length) pieces.push(characters.slice(i, i + length).join(''));
    return pieces;
  };
}
