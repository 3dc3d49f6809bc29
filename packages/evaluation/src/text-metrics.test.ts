import { bitsPerByte, exactMatch, normaliseCaption, perplexity, utf8Bytes } from './index.js';

describe('perplexity', () => {
  test('a model that knows nothing has the size of its vocabulary', () => {
    const tokens = 7;
    expect(perplexity({ negativeLogLikelihood: tokens * Math.log(32_000), tokens })).toBeCloseTo(32_000, 6);
    expect(perplexity({ negativeLogLikelihood: 0, tokens })).toBe(1);
  });

  test('is the inverse of the geometric mean of the probabilities', () => {
    const probabilities = [0.5, 0.25, 0.125];
    const negativeLogLikelihood = -probabilities.reduce((sum, p) => sum + Math.log(p), 0);
    expect(perplexity({ negativeLogLikelihood, tokens: 3 })).toBeCloseTo(4, 12);
  });

  test.each([
    [{ negativeLogLikelihood: -1, tokens: 2 }, /negativeLogLikelihood is -1/],
    [{ negativeLogLikelihood: Number.NaN, tokens: 2 }, /negativeLogLikelihood is NaN/],
    [{ negativeLogLikelihood: 1, tokens: 0 }, /tokens is 0/],
  ])('%j is refused', (options, message) => {
    expect(() => perplexity(options)).toThrow(message);
  });
});

describe('bitsPerByte', () => {
  test('bytes guessed blindly take 8 bits each', () => {
    expect(bitsPerByte({ negativeLogLikelihood: 5 * Math.log(256), bytes: 5 })).toBeCloseTo(8, 12);
  });

  test('is what perplexity says, by bytes in place of tokens', () => {
    const negativeLogLikelihood = 12.5;
    const perToken = Math.log2(perplexity({ negativeLogLikelihood, tokens: 4 }));
    expect(bitsPerByte({ negativeLogLikelihood, bytes: 10 })).toBeCloseTo((perToken * 4) / 10, 12);
  });

  test('utf8Bytes counts as Node does', () => {
    for (const text of ['', 'abc', 'é', '🙂', 'a\u{10ffff}']) expect(utf8Bytes(text)).toBe(Buffer.byteLength(text));
  });

  test('no bytes are refused', () => {
    expect(() => bitsPerByte({ negativeLogLikelihood: 1, bytes: 0 })).toThrow(/bytes is 0/);
  });
});

describe('exactMatch', () => {
  test('case, spaces and the way accents are written do not count; words and punctuation do', () => {
    const candidates = ['  Red\n CAT ', 'cafe\u0301', 'red cat.', 'redcat', 'dog'];
    const references = [['red cat'], ['CAF\u00c9'], ['red cat'], ['red cat'], ['a dog', 'dog']];
    expect(exactMatch({ candidates, references })).toEqual({ score: 3 / 5, matches: [true, true, false, false, true] });
  });

  test('with a normalisation of one’s own', () => {
    const match = (normalise: (text: string) => string) =>
      exactMatch({ candidates: ['Cat'], references: [['cat']], normalise }).score;
    expect(match((text) => text)).toBe(0);
    expect(match((text) => text[1])).toBe(1);
  });

  test('normalising twice changes nothing more', () => {
    const once = normaliseCaption(' \tÀ  la\u00a0Carte ');
    expect(once).toBe('à la carte');
    expect(normaliseCaption(once)).toBe(once);
  });

  test('what does not belong together is refused', () => {
    expect(() => exactMatch({ candidates: ['a', 'b'], references: [['a']] })).toThrow(/2 candidates and 1 list/);
    expect(() => exactMatch({ candidates: [], references: [] })).toThrow(/candidates is 0/);
    expect(() => exactMatch({ candidates: ['a'], references: [[]] })).toThrow(/references\[0\] is empty/);
    const texts = ['a'] as unknown as string[][];
    expect(() => exactMatch({ candidates: ['a'], references: texts })).toThrow(/references\[0\] is a text/);
  });
});
