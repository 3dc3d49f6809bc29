/** @file Regular expressions beside the native library's, and those that are refused. */
import fc from 'fast-check';
import { nativeTokenizer } from '../fixtures/native.js';
import { createPreTokenizer } from '../pre-tokenizers/create-pre-tokenizer.js';
import { Place } from '../unsupported.js';

const RUNS = Number(process.env['TOKENIZER_RUNS'] ?? 300);
const place = new Place('f.json', ['pre_tokenizer']);

function split(expression: string) {
  return { type: 'Split', pattern: { Regex: expression }, behavior: 'Isolated', invert: false };
}

function nativePieces(expression: string, text: string): string[] {
  const native = nativeTokenizer({ pre_tokenizer: split(expression) }).getPreTokenizer()!;
  return native.preTokenizeString(text).map(([piece]) => piece);
}

const character = fc.constantFrom(
  'a',
  'b',
  'k',
  'S',
  '1',
  ' ',
  '-',
  '_',
  'é',
  '日',
  '😀',
  "'",
  '#',
  '\\.',
  '\\n',
  '\\x{62}',
  '\\-',
);
const shorthand = fc.constantFrom('\\w', '\\W', '\\d', '\\s', '\\S', '\\h', '\\p{L}', '\\P{N}', '\\p{^Lu}');
const item = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'b', 'k', 's', '1', ' ', '_', 'é', '日', '\\n', '.', '(', '|', '\\]') },
  { weight: 2, arbitrary: shorthand },
  {
    weight: 2,
    arbitrary: fc.constantFrom('a-c', '0-9', 'A-Z', 'a-', '[b-d]', '[^a]', '[:alpha:]', '[:^digit:]', '&&[a-m]'),
  },
);
const characterClass = fc
  .tuple(fc.constantFrom('[', '[^', '[]', '[-'), fc.array(item, { minLength: 1, maxLength: 4 }))
  .map(([open, items]) => `${open}${items.join('')}]`);
const anchor = fc.constantFrom('^', '$', '\\b', '\\B', '\\A', '\\z', '\\Z');
const quantifier = fc.constantFrom(
  '',
  '',
  '',
  '*',
  '+',
  '?',
  '*?',
  '+?',
  '??',
  '*+',
  '++',
  '?+',
  '{2}',
  '{1,2}',
  '{,2}',
  '{1,}',
  '{2}?',
  '{1,2}?',
  '{1,2}+',
  '+*',
);

const { expressions } = fc.letrec<{ expressions: string; term: string; atom: string; group: string }>((tie) => ({
  expressions: fc
    .array(fc.array(tie('term'), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 })
    .map((alternatives) => alternatives.map((terms) => terms.join('')).join('|')),
  term: fc.oneof(
    { weight: 6, arbitrary: fc.tuple(tie('atom'), quantifier).map((parts) => parts.join('')) },
    { weight: 1, arbitrary: anchor },
  ),
  atom: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    { weight: 4, arbitrary: character },
    { weight: 1, arbitrary: fc.constant('.') },
    { weight: 1, arbitrary: shorthand },
    { weight: 2, arbitrary: characterClass },
    { weight: 2, arbitrary: tie('group') },
  ),
  group: fc
    .tuple(
      fc.constantFrom('(', '(?:', '(?=', '(?!', '(?<=', '(?<!', '(?>', '(?i:', '(?m:', '(?x: ', '(?<n>', '(?i-m:'),
      tie('expressions'),
    )
    .map(([open, inner]) => `${open}${inner})`),
}));

const texts = fc
  .array(
    fc.constantFrom(
      'a',
      'b',
      'ab',
      'k',
      'K',
      '\u212a',
      's',
      'S',
      'ſ',
      '1',
      '12',
      ' ',
      '\n',
      '-',
      '_',
      '.',
      "'",
      'é',
      'É',
      '日',
      '😀',
      '²',
      ']',
      '(',
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(''));

test('what is compiled matches as in the native library', () => {
  let compared = 0;
  const property = fc.property(expressions, texts, (expression, text) => {
    let ours: string[];
    let native: string[];
    try {
      ours = createPreTokenizer(split(expression), place)(text, true);
      native = nativePieces(expression, text);
    } catch (error) {
      // Refused here, or by Oniguruma.
      expect(String(error)).toMatch(/TOKENIZER_UNSUPPORTED|Oniguruma error/);
      return;
    }
    compared++;
    expect(ours).toEqual(native);
  });
  fc.assert(property, { numRuns: RUNS, seed: 1 });
  expect(compared).toBeGreaterThan(RUNS / 2);
});
