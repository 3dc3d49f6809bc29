import { IncrementalText } from './incremental-text.js';
import { byteTokenizer } from './testing/tiny-model.js';

const tokenizer = byteTokenizer();

function pieces(ids: number[]): string[] {
  const text = new IncrementalText(tokenizer);
  return [...ids.map((id) => text.push(id)), text.flush()];
}

test('a character of several tokens comes with the last of them', () => {
  expect(pieces(tokenizer.encode('aé!'))).toEqual(['a', '', 'é', '!', '']);
  expect(pieces(tokenizer.encode('🐸'))).toEqual(['', '', '', '🐸', '']);
});

test('an incomplete character at the end is flushed as U+FFFD, and the pieces are the whole', () => {
  const ids = tokenizer.encode('a🐸').slice(0, 3);
  expect(pieces(ids).join('')).toBe(tokenizer.decode(ids));
  expect(pieces(ids).at(-1)).toContain('\ufffd');
});

test('a decoder that depends on the token before, as for leading spaces, is given it', () => {
  const words = ['▁red', '▁heart', 's'];
  const decoder = {
    decode: (ids: ArrayLike<number>) =>
      Array.from(ids, (id) => words[id])
        .join('')
        .replaceAll('▁', ' ')
        .replace(/^ /, ''),
  };
  const text = new IncrementalText(decoder);
  expect([0, 1, 2, 1].map((id) => text.push(id))).toEqual(['red', ' heart', 's', ' heart']);
  expect(text.text).toBe('red hearts heart');
});
