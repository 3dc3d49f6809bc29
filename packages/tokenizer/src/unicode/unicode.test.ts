/** @file Every character in every set: what the Unicode tables of the native library say. */
import { nativeTokenizer } from '../fixtures/native.js';
import { createNormalizer } from '../normalizers/create-normalizer.js';
import { createPreTokenizer } from '../pre-tokenizers/create-pre-tokenizer.js';
import { type ComponentConfig, Place } from '../unsupported.js';

const place = new Place('f.json', ['component']);

/** All characters that this JavaScript engine knows, but for most of the ideographs, which are all alike. */
const chunks: string[] = [];
for (let first = 1; first < 0x110000; first += 0x800) {
  const isUniform = (first > 0x3500 && first < 0xa000) || (first > 0xac00 && first < 0xf800) || first > 0x20000;
  if (isUniform && first < 0xe0000) continue;
  const codePoints = Array.from({ length: 0x800 }, (_, i) => Math.min(first + i, 0x10ffff));
  chunks.push(
    codePoints
      .map((codePoint) => String.fromCodePoint(codePoint))
      .join('')
      .replace(/[\p{Cn}\p{Cs}]/gu, ''),
  );
}

test.each<[string, ComponentConfig]>([
  ...['NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'StripAccents', 'Nmt'].map((type): [string, ComponentConfig] => [
    type,
    { type },
  ]),
  [
    'clean_text',
    { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: false, lowercase: false },
  ],
  [
    'strip_accents',
    { type: 'BertNormalizer', clean_text: false, handle_chinese_chars: false, strip_accents: true, lowercase: true },
  ],
])('%s', (_name, config) => {
  const ours = createNormalizer(config, place);
  const native = nativeTokenizer({ normalizer: config }).getNormalizer()!;
  for (const text of chunks) expect(ours(text)).toBe(native.normalizeString(text));
});

const sets = [
  ...['\\w', '\\W', '[\\w]', '\\d', '\\s', '\\h', '.', '(?i:[k-s])', '\\p{^L}'],
  ...['C', 'L', 'Ll', 'Lo', 'Lu', 'M', 'N', 'P', 'S', 'Z'].map((name) => `\\p{${name}}`),
  ...['Han', 'Cyrillic', 'Alphabetic', 'Lowercase'].map((name) => `\\p{${name}}`),
  ...['alnum', 'lower', 'punct'].map((name) => `[[:${name}:]]`),
];

test.each<[string, ComponentConfig]>([
  ...['BertPreTokenizer', 'Whitespace', 'WhitespaceSplit'].map((type): [string, ComponentConfig] => [type, { type }]),
  ['ByteLevel', { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }],
  ['Punctuation', { type: 'Punctuation', behavior: 'Contiguous' }],
  ['Digits', { type: 'Digits', individual_digits: true }],
  ...sets.map((set): [string, ComponentConfig] => {
    return [set, { type: 'Split', pattern: { Regex: set }, behavior: 'Contiguous', invert: false }];
  }),
])('%s', (_name, config) => {
  const ours = createPreTokenizer(config, place);
  const native = nativeTokenizer({ pre_tokenizer: config }).getPreTokenizer()!;
  for (const text of chunks) {
    expect(ours(text, true)).toEqual(native.preTokenizeString(text).map(([piece]) => piece));
  }
});
