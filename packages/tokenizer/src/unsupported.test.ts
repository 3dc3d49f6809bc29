/** @file Files that are refused when they are loaded, by name, and files that are something else. */

import { tokenizerFile } from './fixtures/native.js';
import { llamaLike, unigramLike, wordPieceLike } from './fixtures/tokenizers.js';
import { Tokenizer } from './index.js';

const split = (Regex: string) => ({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false });
const metaspace = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: true };
const added = (content: string, options: object = {}) => ({
  ...{ id: 1, content, single_word: false, lstrip: false, rstrip: false, normalized: true, special: false },
  ...options,
});
const bpe = llamaLike();
const withModel = (changes: object, model: object = bpe.model) => tokenizerFile({ model: { ...model, ...changes } });

test.each<[string, unknown, RegExp]>([
  ['dropout', withModel({ dropout: 0.1 }), /model: dropout is 0\.1/],
  ['no unknown token', withModel({ unk_token: '<none>' }), /model: unk_token "<none>" is not in the vocabulary/],
  ['WordPiece without one', withModel({ unk_token: '?' }, wordPieceLike().model), /model: unk_token "\?"/],
  ['Unigram without unk_id', withModel({ unk_id: null }, unigramLike().model), /model: unk_id is missing/],
  ['UnicodeScripts', tokenizerFile({ pre_tokenizer: { type: 'UnicodeScripts' } }), /pre_tokenizer: .*"UnicodeScripts"/],
  ['a new normalizer', tokenizerFile({ normalizer: { type: 'Rot13' } }), /normalizer: .*"Rot13"/],
  [
    'a new decoder',
    tokenizerFile({ decoder: { type: 'Sequence', decoders: [{ type: 'Rot13' }] } }),
    /decoder\.decoders\[0\]: .*"Rot13"/,
  ],
  [
    'Metaspace behind another',
    tokenizerFile({ pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, metaspace] } }),
    /pretokenizers\[1\]: prepend_scheme "first"/,
  ],
  [
    '"first" with normalized tokens',
    tokenizerFile({ pre_tokenizer: metaspace, normalizer: { type: 'NFC' }, added_tokens: [added('x')] }),
    /pre_tokenizer: prepend_scheme "first"/,
  ],
  [
    'add_prefix_space against prepend_scheme',
    tokenizerFile({ pre_tokenizer: { ...metaspace, add_prefix_space: false } }),
    /add_prefix_space is false/,
  ],
  [
    'a charsmap that is none',
    tokenizerFile({ normalizer: { type: 'Precompiled', precompiled_charsmap: 'AAAA' } }),
    /normalizer: precompiled_charsmap/,
  ],
  [
    'an added token that is nothing',
    tokenizerFile({ normalizer: { type: 'Strip', strip_left: true, strip_right: true }, added_tokens: [added(' ')] }),
    /added_tokens: " ", normalized, is the same as nothing/,
  ],
  [
    'added tokens that become the same',
    tokenizerFile({ normalizer: { type: 'Lowercase' }, added_tokens: [added('A'), added('a', { id: 2 })] }),
    /added_tokens: "a", normalized, is the same as "A"/,
  ],
  [
    'an added token twice',
    tokenizerFile({ added_tokens: [added('a'), added('a', { lstrip: true })] }),
    /added_tokens\[1\] "a" is there twice/,
  ],
  [
    'an id behind a hole',
    tokenizerFile({ added_tokens: [added('a', { id: 7 })] }),
    /added_tokens\[0\] "a" has id 7, which Hugging Face libraries read as 1/,
  ],
  [
    'an id of the vocabulary',
    tokenizerFile({
      model: { type: 'WordLevel', unk_token: '?', vocab: { '?': 0, b: 2 } },
      added_tokens: [added('a', { id: 2 })],
    }),
    /added_tokens\[0\] "a" has id 2, which is that of "b"/,
  ],
  [
    'millions of unused ids',
    tokenizerFile({ model: { type: 'WordLevel', unk_token: '?', vocab: { '?': 0, b: 4_000_000 } } }),
    /ids up to 4000000; at most 65536/,
  ],
  ...[
    '(?i)é',
    '(?i)[^a]',
    '(?i:ss)',
    '(a)\\1',
    '\\X',
    '\\R',
    '\\G',
    'a(?i)b',
    '\\p{InArrows}',
    '(?~a)',
    '(a*)+',
    '[a-\\d]',
    '(',
    'a)',
    '*',
    '\\xff',
    'a{3,1}',
    '(?s:.)',
    '[[:graph:]]',
  ].map((expression): [string, unknown, RegExp] => [
    expression,
    tokenizerFile({ pre_tokenizer: split(expression) }),
    /pre_tokenizer: the regular expression ".*" cannot be used: ./,
  ]),
])('%s', (_name, json, message) => {
  expect(() => new Tokenizer(json, { where: 'f.json' })).toThrow(/^TOKENIZER_UNSUPPORTED: f\.json/);
  expect(() => new Tokenizer(json, { where: 'f.json' })).toThrow(message);
  expect(() => new Tokenizer(json, { where: 'f.json' })).toThrow(/\n {2}fix: ./);
});

test.each<[string, unknown, RegExp]>([
  [
    'an option of another kind',
    tokenizerFile({ normalizer: { type: 'Strip', strip_left: 'yes', strip_right: true } }),
    /normalizer\.strip_left: /,
  ],
  [
    'an option that is missing',
    tokenizerFile({ pre_tokenizer: { type: 'Digits' } }),
    /pre_tokenizer\.individual_digits: /,
  ],
  ['a merge of nothing', withModel({ merges: ['q q'] }), /model\.merges\[0\]: "q" is not in the vocabulary/],
  ['an unk_id beyond the vocabulary', withModel({ unk_id: 99 }, unigramLike().model), /model\.unk_id: 99/],
  [
    'tokenizer_config.json',
    '{"tokenizer_class":"LlamaTokenizer","model_max_length":4096}',
    /is a tokenizer_config\.json/,
  ],
  ['vocab.json', '{"a":0,"b":1}', /is a vocab\.json/],
  ['special_tokens_map.json', '{"bos_token":"<s>"}', /is a special_tokens_map\.json/],
  ['merges.txt', '#version: 0.2\nĠ t\nĠ a\n', /is a merges\.txt/],
  ['vocab.txt', '[PAD]\n[unused0]\n', /is a vocab\.txt/],
  ['a SentencePiece model', '\n\x0e\n\x05<unk>\x15\0\0\0\0\x18\x02\n\f\n\x03<s>', /is a SentencePiece model/],
  ['a vocabulary of tiktoken', 'IQ== 0\nIg== 1\n', /is a vocabulary of tiktoken/],
  ['a pointer of Git LFS', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\n', /is a Git LFS pointer/],
  ['bytes', new TextEncoder().encode('{}'), /is given as bytes/],
  ['a web page', '<!doctype html><html>', /is a web page/],
])('%s', (_name, json, message) => {
  expect(() => new Tokenizer(json, { where: 'f.json' })).toThrow(/^TOKENIZER_FORMAT: f\.json/);
  expect(() => new Tokenizer(json, { where: 'f.json' })).toThrow(message);
  expect(() => new Tokenizer(json, { where: 'f.json' })).toThrow(/\n {2}fix: ./);
});

test('a byte order mark at the beginning of a file is not part of it', () => {
  expect(new Tokenizer(`\ufeff${JSON.stringify(bpe)}`).toJson()).toEqual(new Tokenizer(bpe).toJson());
});

test('components nested without end', () => {
  for (const [component, children] of [
    ['normalizer', 'normalizers'],
    ['pre_tokenizer', 'pretokenizers'],
    ['decoder', 'decoders'],
  ]) {
    const depth = 50_000;
    const nested = `{"type":"Sequence","${children}":[`.repeat(depth) + ']}'.repeat(depth);
    const text = JSON.stringify(tokenizerFile({ [component]: 0 })).replace(
      `"${component}":0`,
      `"${component}":${nested}`,
    );
    expect(() => new Tokenizer(text)).toThrow(/TOKENIZER_UNSUPPORTED.*nested deeper than/);
  }
});
