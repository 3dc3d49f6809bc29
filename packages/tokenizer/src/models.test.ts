/** @file Every model with all its options, and added tokens with all theirs, beside the native library's. */
import fc from 'fast-check';
import { charsMap } from './fixtures/chars-map.js';
import { nativeIds, nativeTokenizer, tokenizerFile } from './fixtures/native.js';
import { pieces, texts } from './fixtures/texts.js';
import { llamaLike, unigramLike, wordPieceLike } from './fixtures/tokenizers.js';
import { Tokenizer } from './index.js';
import { createNormalizer } from './normalizers/create-normalizer.js';
import { Place } from './unsupported.js';

const RUNS = Number(process.env['TOKENIZER_RUNS'] ?? 150);
const boolean = fc.boolean();
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });
const characters = [...new Set(pieces.flatMap((piece) => Array.from(piece)))];
const byteTokens = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`);

const vocabularyOf = (tokens: string[]) => Object.fromEntries([...new Set(tokens)].map((token, id) => [token, id]));

/** Some characters, and what random merges make of them. */
const bpe = fc
  .record({
    characters: fc.subarray(characters, { minLength: 40 }),
    pairs: fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 60 }),
    bytes: fc.constantFrom([], byteTokens, byteTokens.slice(0, 200)),
    unknown: optional(fc.constant('?')),
    prefix: optional(fc.constantFrom('', '##')),
    suffix: optional(fc.constantFrom('', '</w>')),
    flags: fc.record({ fuse_unk: boolean, byte_fallback: boolean, ignore_merges: boolean }),
  })
  .map(({ characters: some, pairs, bytes, unknown, prefix, suffix, flags }) => {
    const continued = some.flatMap((character) => [
      `${prefix ?? ''}${character}`,
      `${prefix ?? ''}${character}${suffix ?? ''}`,
    ]);
    const tokens = [...new Set(['?', ...some, ...some.map((each) => each + (suffix ?? '')), ...continued, ...bytes])];
    // Likely pairs: characters that stand together in the pieces.
    const merges: [string, string][] = [];
    for (const [first, second] of pairs) {
      const left = tokens[first % tokens.length];
      const right = tokens[second % tokens.length];
      if (prefix && !right.startsWith(prefix)) continue;
      merges.push([left, right]);
      tokens.push(left + right.slice(prefix?.length ?? 0));
    }
    for (const word of pieces) {
      const parts = Array.from(word, (character, i) => (i > 0 ? (prefix ?? '') : '') + character);
      if (parts.length < 2 || parts.some((part) => !tokens.includes(part))) continue;
      merges.push([parts[0], parts[1]]);
      tokens.push(parts[0] + parts[1].slice(prefix?.length ?? 0));
    }
    return {
      type: 'BPE',
      dropout: null,
      unk_token: unknown,
      continuing_subword_prefix: prefix,
      end_of_word_suffix: suffix,
      ...flags,
      vocab: vocabularyOf(tokens),
      merges,
    };
  });

const wordPiece = fc.record({
  type: fc.constant('WordPiece'),
  unk_token: fc.constant('?'),
  continuing_subword_prefix: fc.constantFrom('##', '', '▁'),
  max_input_chars_per_word: fc.integer({ min: 0, max: 6 }),
  vocab: fc
    .subarray([...pieces, ...characters, ...characters.map((each) => `##${each}`), '##at', '##ts', '▁e'])
    .map((tokens) => vocabularyOf(['?', ...tokens])),
});

const unigram = fc
  .record({
    tokens: fc.subarray([...new Set([...pieces, ...characters, '▁the', '▁c', 'ats'])], { minLength: 1 }),
    scores: fc.array(fc.double({ min: -20, max: 0, noNaN: true }), { minLength: 1, maxLength: 20 }),
    bytes: fc.constantFrom([], byteTokens),
    unknown: fc.nat(),
    byte_fallback: boolean,
  })
  .map(({ tokens, scores, bytes, unknown, byte_fallback }) => {
    const vocab = [...tokens, ...bytes].map((token, i): [string, number] => [token, scores[i % scores.length]]);
    return { type: 'Unigram', unk_id: unknown % vocab.length, byte_fallback, vocab };
  });

const wordLevel = fc.record({
  type: fc.constant('WordLevel'),
  unk_token: fc.constant('?'),
  vocab: fc.subarray(pieces).map((tokens) => vocabularyOf(['?', ...tokens])),
});

const metaspace = (scheme: string) => ({ type: 'Metaspace', replacement: '▁', prepend_scheme: scheme, split: true });
const preTokenizers = fc.constantFrom(
  null,
  { type: 'Whitespace' },
  { type: 'WhitespaceSplit' },
  { type: 'BertPreTokenizer' },
  metaspace('first'),
  { ...metaspace('always'), split: false },
  { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
);
/** Rules of SentencePiece, some for graphemes as a whole, some for their beginnings. */
const rules: [string, string][] = [
  ...[
    ['\t', ' '],
    ['\u3000', ' '],
    ['\r', ''],
    ['\r\n', '\n'],
    ['\u200d', ''],
    ['\u0301', ''],
  ],
  ...[
    ['ﬁ', 'fi'],
    ['½', '1/2'],
    ['①', '1'],
    ['Å', 'A'],
    ['e\u0301', 'é'],
    ['ｶﾞ', 'ガ'],
    ['a', 'b'],
  ],
  ...[
    ['か', 'ka'],
    ['👍', '+'],
    ['日', ''],
    ['\u1100', 'k'],
  ],
] as [string, string][];
const precompiled = { type: 'Precompiled', precompiled_charsmap: charsMap(Object.fromEntries(rules)) };

const normalizers = fc.constantFrom(
  null,
  { type: 'NFKC' },
  precompiled,
  { type: 'Lowercase' },
  {
    type: 'Sequence',
    normalizers: [
      { type: 'Prepend', prepend: '▁' },
      { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    ],
  },
);

const addedTokens = fc.uniqueArray(
  fc.record({
    content: fc.constantFrom(
      'cat',
      'Cat',
      'cats',
      'CAT',
      '<extra>',
      ' ',
      '  ',
      'é',
      '▁a',
      'a',
      '[W]',
      '\n\n',
      '日',
      'the ',
    ),
    single_word: boolean,
    lstrip: boolean,
    rstrip: boolean,
    normalized: boolean,
  }),
  { selector: (token) => token.content, maxLength: 5 },
);

/** A file whose added tokens have the ids that the native library gives them. */
function fileOf(components: Record<string, unknown>, added: { content: string }[], special: string[] = []) {
  const file = tokenizerFile(components);
  const vocab = file.model['vocab'] as Record<string, number> | [string, number][];
  const known = Array.isArray(vocab) ? vocab.map(([token]) => token) : Object.keys(vocab);
  let nextId = known.length;
  const idOf = (content: string) => (known.includes(content) ? 0 : nextId++);
  file.added_tokens = [
    ...added.map((token) => ({ ...token, special: false, id: idOf(token.content) })),
    ...special.map((content) => ({ content, special: true, id: idOf(content) })),
  ];
  return file;
}

const whole = fc.record({
  model: fc.oneof(bpe, wordPiece, unigram, wordLevel),
  normalizer: normalizers,
  pre_tokenizer: preTokenizers,
});

/** Undefined for what is refused by name: what depends on how a normalizer has changed a text. */
function loaded(file: unknown): Tokenizer | undefined {
  try {
    return new Tokenizer(file);
  } catch (error) {
    expect(String(error)).toMatch(/TOKENIZER_UNSUPPORTED.*(?:prepend_scheme "first"|normalized, is the same as)/);
    return undefined;
  }
}

test.each([
  ['BPE', bpe],
  ['WordPiece', wordPiece],
  ['Unigram', unigram],
  ['WordLevel', wordLevel],
])('%s', async (_name, models) => {
  const property = fc.asyncProperty(
    models as fc.Arbitrary<unknown>,
    preTokenizers,
    texts,
    async (model, pre_tokenizer, text) => {
      const file = tokenizerFile({ model, pre_tokenizer });
      expect(new Tokenizer(file).encode(text)).toEqual(await nativeIds(file, text));
    },
  );
  await fc.assert(property, { numRuns: RUNS, seed: 1 });
});

test('added tokens', async () => {
  const property = fc.asyncProperty(whole, addedTokens, texts, async (components, added, text) => {
    const file = fileOf(components, added);
    const tokenizer = loaded(file);
    fc.pre(tokenizer !== undefined);
    const ids = await nativeIds(file, text);
    expect(tokenizer!.encode(text)).toEqual(ids);
    // What is written for the native library has the same ids, and decodes to the same text.
    expect(await nativeIds(tokenizer!.toJson(), text)).toEqual(ids);
    expect(tokenizer!.decode(ids)).toBe(await nativeTokenizer(file).decode(ids, true));
  });
  await fc.assert(property, { numRuns: RUNS, seed: 1 });
});

test('special tokens never come out of text, though the vocabulary has them', () => {
  const property = fc.property(whole, fc.subarray(pieces, { minLength: 1 }), texts, (components, special, text) => {
    const file = fileOf(components, [], special);
    const tokenizer = new Tokenizer(file);
    const { unk_token, unk_id } = components.model as { unk_token?: string; unk_id?: number };
    const isUnknown = (id: number) => id === unk_id || (unk_token != null && tokenizer.decode([id]) === unk_token);
    expect(tokenizer.encode(text).filter((id) => tokenizer.isSpecial(id) && !isUnknown(id))).toEqual([]);
  });
  fc.assert(property, { numRuns: RUNS, seed: 1 });
});

test('Precompiled', () => {
  const native = nativeTokenizer({ normalizer: precompiled }).getNormalizer()!;
  const normalize = createNormalizer(precompiled, new Place('f.json', ['normalizer']));
  const property = fc.property(texts, (text) => expect(normalize(text)).toBe(native.normalizeString(text)));
  fc.assert(property, { numRuns: 5 * RUNS, seed: 1 });
});

test('texts can be decoded in parts, each with what stands before it', () => {
  const files = [llamaLike(), unigramLike(), wordPieceLike(), tokenizerFile({ decoder: null })];
  const tokenizers = files.map((file) => new Tokenizer(file));
  const words = fc
    .array(fc.constantFrom('red', 'heart', 'heat', 's', ' ', '  ', '日', '😀', '.'))
    .map((parts) => parts.join(''));
  const property = fc.property(fc.constantFrom(...tokenizers), words, fc.nat(), (tokenizer, text, cut) => {
    const ids = tokenizer.encode(text);
    const before = ids.slice(0, cut % (ids.length + 1));
    const after = tokenizer.decode(ids.slice(before.length), { context: before });
    const whole = tokenizer.decode(ids);
    const start = tokenizer.decode(before);
    // A character may be cut in half.
    if (whole.startsWith(start)) expect(start + after).toBe(whole);
    else expect(start.endsWith('\ufffd') && whole.endsWith(after)).toBe(true);
  });
  fc.assert(property, { numRuns: 2 * RUNS, seed: 1 });
});
