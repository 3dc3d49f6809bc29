/** @file Ids of added tokens, as the native library reads them from what is written for it. */
import { Tokenizer as NativeTokenizer } from 'tokenizers';
import { tokenizerFile } from './fixtures/native.js';
import { Tokenizer } from './index.js';

const added = (id: number, content: string) => ({
  ...{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: false },
});

test.each<[string, Record<string, number>, ReturnType<typeof added>[]]>([
  ['no holes', { '?': 0, a: 1, b: 2, c: 3 }, []],
  ['a hole', { '?': 0, a: 1, b: 2, c: 9 }, []],
  ['a hole smaller than the control tokens', { '?': 0, a: 1, b: 3 }, []],
  ['an added token in a hole', { '?': 0, a: 1, c: 9 }, [added(3, 'x')]],
  ['one of the vocabulary, under another id', { '?': 0, a: 1, c: 9 }, [added(5, 'c'), added(3, 'y')]],
])('%s', (_name, vocab, tokens) => {
  const file = tokenizerFile({ model: { type: 'WordLevel', unk_token: '?', vocab }, added_tokens: tokens });
  const tokenizer = new Tokenizer(file);
  const native = NativeTokenizer.fromString(JSON.stringify(tokenizer.toJson()));
  for (const [name, id] of Object.entries(tokenizer.special)) expect(native.tokenToId(`<|${name}|>`)).toBe(id);
  const original = NativeTokenizer.fromString(JSON.stringify(file));
  for (const token of [...Object.keys(vocab), ...tokens.map(({ content }) => content)]) {
    expect(native.tokenToId(token)).toBe(original.tokenToId(token));
  }
  expect(native.getVocabSize(true)).toBe(tokenizer.vocabularySize);
  const again = new Tokenizer(JSON.stringify(tokenizer.toJson()));
  expect(again.special).toEqual(tokenizer.special);
  expect(again.toJson()).toEqual(tokenizer.toJson());
  const unused = Array.from({ length: tokenizer.vocabularySize }, (_, id) => id).filter(
    (id) => original.idToToken(id) === null,
  );
  expect(again.decode(unused)).toBe(tokenizer.decode(unused));
});

test('special tokens of a Unigram model', () => {
  const vocab = [
    ['<unk>', 0],
    ['▁a', -1],
  ];
  const tokenizer = new Tokenizer(tokenizerFile({ model: { type: 'Unigram', unk_id: 0, vocab } }));
  const native = NativeTokenizer.fromString(JSON.stringify(tokenizer.toJson()));
  for (const [name, id] of Object.entries(tokenizer.special)) expect(native.tokenToId(`<|${name}|>`)).toBe(id);
});
