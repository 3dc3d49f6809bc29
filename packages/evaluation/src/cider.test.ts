import fc from 'fast-check';
import golden from '../fixtures/metrics.json';
import { captionTokens, cider } from './index.js';

/** Two pictures: every n-gram of their captions is in one of two documents, so all weigh ln 2. */
const two = (first: string, variant?: 'cider' | 'cider-d') =>
  cider({ candidates: [first, 'blue dog'], references: [['red cat'], ['blue dog']], variant }).scores[0];

describe('cider', () => {
  test.each(['cider', 'cider-d'] as const)('%s agrees with an implementation in numpy from the paper', (variant) => {
    const { candidates, references, scores } = golden.cider;
    const result = cider({ candidates, references, variant });
    scores[variant].forEach((score, i) => {
      expect(result.scores[i]).toBeCloseTo(score, 12);
    });
    expect(result.score).toBeCloseTo(
      scores[variant].reduce((sum, score) => sum + score, 0) / scores[variant].length,
      12,
    );
  });

  test('by hand: two equal words are right in 2 of 4 n', () => {
    expect(two('red cat')).toBeCloseTo(5, 12);
    expect(two('red cat', 'cider')).toBeCloseTo(5, 12);
  });

  test('by hand: one word of two is a cosine of 1 / 2 for n = 1', () => {
    expect(two('red dog')).toBeCloseTo(10 / 4 / 2, 12);
  });

  test('by hand: repeating a word pays with CIDEr, not with CIDEr-D, which also counts the words', () => {
    expect(two('red red red', 'cider')).toBeCloseTo(10 / 4 / Math.SQRT2, 12);
    expect(two('red red red', 'cider-d')).toBeCloseTo((Math.exp(-1 / 72) * 10) / 4 / (3 * Math.SQRT2), 12);
  });

  test('cider-d is the default', () => {
    expect(two('red red red')).toBe(two('red red red', 'cider-d'));
  });

  test('a word of all documents weighs nothing, whatever corpus they are', () => {
    const options = { candidates: ['a cat', 'a dog'], references: [['a bird'], ['a cow']] };
    expect(cider(options).scores).toEqual([0, 0]);
    const [score] = cider({ ...options, documents: [['a bird'], ['cow'], ['b']] }).scores;
    // "a" weighs ln 3 in both; "cat" is in no document, as rare as "bird", which is in one: ln 3.
    expect(score).toBeCloseTo(10 / 4 / 2, 12);
  });

  test('captions without words score 0', () => {
    expect(two('')).toBe(0);
    expect(two('...')).toBe(0);
  });

  test('is between 0 and 10, and 10 for the only reference of four words or more', () => {
    const words = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { minLength: 4, maxLength: 9 });
    fc.assert(
      fc.property(words, words, fc.constantFrom('cider' as const, 'cider-d' as const), (first, second, variant) => {
        // A word of its own, so that each n has a weight.
        const own = [...first, 'x', ...first].join(' ');
        const references = [[own], [second.join(' ')]];
        const { scores } = cider({ candidates: [own, first.join(' ')], references, variant });
        expect(scores[0]).toBeCloseTo(10, 9);
        expect(scores[1]).toBeGreaterThanOrEqual(0);
        expect(scores[1]).toBeLessThanOrEqual(10 + 1e-9);
      }),
      { numRuns: 50 },
    );
  });

  test('one document is refused, since all would be 0', () => {
    expect(() => cider({ candidates: ['a'], references: [['a']] })).toThrow(/1 document.*log 1 = 0/);
  });
});

describe('captionTokens', () => {
  test.each([
    ['A red cat, sitting.', ['a', 'red', 'cat', 'sitting']],
    ["Don't  stop: well-known 2nd", ["don't", 'stop', 'well-known', '2nd']],
    ['(hello) -- “world”', ['hello', 'world']],
    ['Ünïcode 猫 I ❤ cats', ['ünïcode', '猫', 'i', '❤', 'cats']],
    ['', []],
  ])('%j', (caption, tokens) => {
    expect(captionTokens(caption)).toEqual(tokens);
  });
});
