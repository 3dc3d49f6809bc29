import fc from 'fast-check';
import { greedyToken, sampleToken, textSamplingSchema, tokenDistribution } from './choose-token.js';

/** Logits whose softmax at temperature 1 is exactly these probabilities. */
const logitsOf = (...probabilities: number[]) => Float32Array.from(probabilities, Math.log);
const options = (changes: object) => textSamplingSchema.parse({ temperature: 1, ...changes });
const shown = (logits: Float32Array, changes: object) =>
  tokenDistribution(logits, options(changes)).map(({ id, probability }) => [id, Number(probability.toFixed(6))]);

describe('tokenDistribution', () => {
  const logits = logitsOf(0.1, 0.4, 0.05, 0.25, 0.2);

  test.each([
    [
      'temperature 1',
      {},
      [
        [1, 0.4],
        [3, 0.25],
        [4, 0.2],
        [0, 0.1],
        [2, 0.05],
      ],
    ],
    ['temperature 0', { temperature: 0 }, [[1, 1]]],
    // Squares of the probabilities: 0.16, 0.0625, 0.04, 0.01, 0.0025, of 0.275.
    [
      'temperature 1/2',
      { temperature: 0.5 },
      [
        [1, 0.581818],
        [3, 0.227273],
        [4, 0.145455],
        [0, 0.036364],
        [2, 0.009091],
      ],
    ],
    [
      'top-k',
      { topK: 2 },
      [
        [1, 0.615385],
        [3, 0.384615],
      ],
    ],
    [
      'top-k of all',
      { topK: 9 },
      [
        [1, 0.4],
        [3, 0.25],
        [4, 0.2],
        [0, 0.1],
        [2, 0.05],
      ],
    ],
    // 0.4 + 0.25 is below 0.7: the third is needed to reach it.
    [
      'top-p',
      { topP: 0.7 },
      [
        [1, 0.470588],
        [3, 0.294118],
        [4, 0.235294],
      ],
    ],
    ['top-p below the first', { topP: 0.01 }, [[1, 1]]],
    [
      'top-p 1',
      { topP: 1 },
      [
        [1, 0.4],
        [3, 0.25],
        [4, 0.2],
        [0, 0.1],
        [2, 0.05],
      ],
    ],
    // At least half of 0.4.
    [
      'min-p',
      { minP: 0.499 },
      [
        [1, 0.470588],
        [3, 0.294118],
        [4, 0.235294],
      ],
    ],
    [
      'min-p 0',
      { minP: 0 },
      [
        [1, 0.4],
        [3, 0.25],
        [4, 0.2],
        [0, 0.1],
        [2, 0.05],
      ],
    ],
    ['min-p 1', { minP: 1 }, [[1, 1]]],
    // After top-k 3 the probabilities are 0.470588, 0.294118, 0.235294; top-p 0.75 keeps two of them.
    [
      'top-k, then top-p',
      { topK: 3, topP: 0.75 },
      [
        [1, 0.615385],
        [3, 0.384615],
      ],
    ],
  ])('%s', (_, changes, expected) => expect(shown(logits, changes)).toEqual(expected));

  test('of equals the lower id comes first', () => {
    expect(shown(new Float32Array([2, 3, 3, 2]), { topK: 3 }).map(([id]) => id)).toEqual([1, 2, 0]);
    expect(greedyToken(new Float32Array([2, 3, 3, 2]))).toBe(1);
  });

  test('excluded tokens never come, large logits do not overflow', () => {
    const excluded = new Float32Array([Number.NEGATIVE_INFINITY, 1000, 999, Number.NEGATIVE_INFINITY]);
    expect(shown(excluded, {})).toEqual([
      [1, 0.731059],
      [2, 0.268941],
    ]);
  });

  test('is a distribution, most likely first, for any logits and options', () => {
    const anyOptions = fc.record({
      temperature: fc.double({ min: 0.05, max: 5, noNaN: true }),
      topK: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
      topP: fc.option(fc.double({ min: 0.01, max: 1, noNaN: true }), { nil: undefined }),
      minP: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
    });
    const anyLogits = fc.array(fc.double({ min: -50, max: 50, noNaN: true }), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(anyLogits, anyOptions, (values, sampling) => {
        const distribution = tokenDistribution(Float32Array.from(values), sampling);
        const total = distribution.reduce((sum, { probability }) => sum + probability, 0);
        const isSorted = distribution.every(
          (each, i) => i === 0 || distribution[i - 1].probability >= each.probability,
        );
        return Math.abs(total - 1) < 1e-9 && isSorted && distribution[0].id === greedyToken(Float32Array.from(values));
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});

describe('sampleToken', () => {
  test('inverts the cumulative distribution: 0.5, 0.3, 0.2', () => {
    const logits = logitsOf(0.3, 0.2, 0.5);
    const drawn = (uniform: number) => sampleToken(logits, options({}), uniform);
    expect([0, 0.49, 0.51, 0.79, 0.81, 0.9999999].map(drawn)).toEqual([2, 2, 0, 0, 1, 1]);
  });

  test('temperature 0 is greedy, whatever the number', () => {
    const greedy = textSamplingSchema.parse({});
    expect([0, 0.5, 0.99].map((uniform) => sampleToken(logitsOf(0.3, 0.2, 0.5), greedy, uniform))).toEqual([2, 2, 2]);
  });

  test('logits that no token can be chosen from are refused', () => {
    expect(() => greedyToken(new Float32Array([0, Number.NaN]))).toThrow(/SAMPLER_LOGITS.*logit 1 is NaN/);
    expect(() => greedyToken(new Float32Array(3).fill(-Infinity))).toThrow(/SAMPLER_LOGITS.*every token is excluded/);
    expect(() => sampleToken(new Float32Array([Infinity, 0]), options({}), 0)).toThrow(/SAMPLER_LOGITS.*Infinity/);
  });
});
