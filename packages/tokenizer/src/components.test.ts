/** @file Every normalizer, pre-tokenizer and decoder beside the native library's. */
import fc from 'fast-check';
import { createDecoder } from './decoders/create-decoder.js';
import { nativeTokenizer } from './fixtures/native.js';
import { pieces, texts } from './fixtures/texts.js';
import { createNormalizer } from './normalizers/create-normalizer.js';
import { createPreTokenizer } from './pre-tokenizers/create-pre-tokenizer.js';
import { type ComponentConfig, Place } from './unsupported.js';

const RUNS = Number(process.env['TOKENIZER_RUNS'] ?? 150);
const place = new Place('f.json', ['component']);
const boolean = fc.boolean();
const literals = fc.constantFrom(' ', 'a', '▁', '  ', '.', 'e\u0301', '😀', '##');
const expressions = fc.constantFrom(
  ' +',
  '\\s+',
  '\\d',
  '\\w+|[^\\w\\s]+',
  '(?i)[a-k]+|\\d+',
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  '[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+',
  '[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|\\p{N}{1,3}|\\s+',
  ' ?[^(\\s|[.,!?…。，、।۔،])]+',
  '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[一-龥぀-ゟ゠-ヿ]+|[\\p{P}\\p{S}]+',
  '\\p{Han}|\\p{Hiragana}+|\\p{Cyrillic}',
  '^.|.$',
  '(?m:.)|z\\B',
  '(?<=a)b|(?<!e)t|\\Aa|z\\z|[[:punct:]]',
  '(?>a+)b?|[a-z&&[^ab]]|\\x{41}',
);
const patterns = fc.oneof(
  literals.map((literal) => ({ String: literal })),
  expressions.map((expression) => ({ Regex: expression })),
);
/** The native library ends the process where a normalizer replaces an empty match at the end of a text. */
const splitPatterns = fc.oneof(
  { weight: 4, arbitrary: patterns },
  { weight: 1, arbitrary: fc.constantFrom({ Regex: '[aeiou]*' }, { Regex: '\\b' }, { Regex: '\\B|$' }) },
);
const behaviors = fc.constantFrom('Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous');
const replacements = fc.constantFrom('▁', '_', 'a');

const normalizers = fc.oneof(
  fc.record({
    type: fc.constant('BertNormalizer'),
    clean_text: boolean,
    handle_chinese_chars: boolean,
    strip_accents: fc.constantFrom(true, false, null),
    lowercase: boolean,
  }),
  fc.record({ type: fc.constant('Strip'), strip_left: boolean, strip_right: boolean }),
  fc.record({
    type: fc.constantFrom('StripAccents', 'NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'Nmt', 'ByteLevel'),
  }),
  fc.record({ type: fc.constant('Prepend'), prepend: fc.constantFrom('▁', 'ab') }),
  fc.record({ type: fc.constant('Replace'), pattern: patterns, content: fc.constantFrom('', '▁', '$&', 'ab') }),
);

const preTokenizers = fc.oneof(
  fc.record({ type: fc.constantFrom('BertPreTokenizer', 'Whitespace', 'WhitespaceSplit') }),
  fc.record({
    type: fc.constant('ByteLevel'),
    add_prefix_space: boolean,
    trim_offsets: boolean,
    use_regex: boolean,
  }),
  fc.record({ type: fc.constant('CharDelimiterSplit'), delimiter: fc.constantFrom(' ', 'a', '▁', '😀') }),
  fc.record({
    type: fc.constant('Metaspace'),
    replacement: replacements,
    prepend_scheme: fc.constantFrom('always', 'never', 'first'),
    split: boolean,
  }),
  fc.record({ type: fc.constant('Punctuation'), behavior: behaviors }),
  fc.record({ type: fc.constant('Digits'), individual_digits: boolean }),
  fc.record({ type: fc.constant('FixedLength'), length: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ type: fc.constant('Split'), pattern: splitPatterns, behavior: behaviors, invert: boolean }),
);

const decoders = fc.oneof(
  fc.record({ type: fc.constant('BPEDecoder'), suffix: fc.constantFrom('</w>', 'a') }),
  fc.record({
    type: fc.constant('ByteLevel'),
    add_prefix_space: boolean,
    trim_offsets: boolean,
    use_regex: boolean,
  }),
  fc.record({ type: fc.constantFrom('ByteFallback', 'Fuse') }),
  fc.record({ type: fc.constant('WordPiece'), prefix: fc.constantFrom('##', ''), cleanup: boolean }),
  fc.record({
    type: fc.constant('Metaspace'),
    replacement: replacements,
    prepend_scheme: fc.constantFrom('always', 'never', 'first'),
    split: boolean,
  }),
  fc.record({
    type: fc.constant('CTC'),
    pad_token: fc.constantFrom('a', '▁'),
    word_delimiter_token: fc.constantFrom('|', '_'),
    cleanup: boolean,
  }),
  fc.record({ type: fc.constant('Replace'), pattern: splitPatterns, content: fc.constantFrom('', ' ', 'ab') }),
  fc.record({
    type: fc.constant('Strip'),
    content: fc.constantFrom(' ', 'a', '▁'),
    start: fc.integer({ min: 0, max: 3 }),
    stop: fc.constant(0),
  }),
);

test('normalizers', () => {
  const property = fc.property(fc.array(normalizers, { minLength: 1, maxLength: 3 }), texts, (configs, text) => {
    const config = configs.length === 1 ? configs[0] : { type: 'Sequence', normalizers: configs };
    const native = nativeTokenizer({ normalizer: config }).getNormalizer()!;
    expect(createNormalizer(config as ComponentConfig, place)(text)).toBe(native.normalizeString(text));
  });
  fc.assert(property, { numRuns: RUNS, seed: 1 });
});

test('pre-tokenizers', () => {
  const property = fc.property(fc.array(preTokenizers, { minLength: 1, maxLength: 3 }), texts, (configs, text) => {
    fc.pre(configs.slice(1).every((config) => !('prepend_scheme' in config) || config.prepend_scheme !== 'first'));
    const config = configs.length === 1 ? configs[0] : { type: 'Sequence', pretokenizers: configs };
    const native = nativeTokenizer({ pre_tokenizer: config }).getPreTokenizer()!;
    const expected = native.preTokenizeString(text).map(([piece]) => piece);
    expect(createPreTokenizer(config as ComponentConfig, place)(text, true)).toEqual(expected.filter((p) => p !== ''));
  });
  fc.assert(property, { numRuns: RUNS, seed: 1 });
});

test('decoders', () => {
  const tokens = fc.array(
    fc.oneof(
      fc.constantFrom(...pieces, '##a', '▁b', '<0xE2>', '<0x82>', '<0xAC>', '<0xff>', ' .', " n't", 'ðŁĺĢ'),
      fc.string(),
    ),
    { maxLength: 8 },
  );
  const property = fc.property(fc.array(decoders, { minLength: 1, maxLength: 3 }), tokens, (configs, list) => {
    const config = configs.length === 1 ? configs[0] : { type: 'Sequence', decoders: configs };
    const native = nativeTokenizer({ decoder: config }).getDecoder()!;
    expect(createDecoder(config as ComponentConfig, place)(list).join('')).toBe(native.decode(list));
  });
  fc.assert(property, { numRuns: RUNS, seed: 1 });
});
