import fc from 'fast-check';
import golden from '../fixtures/metrics.json';
import { featuresOf, kernelDistance, precisionRecall } from './index.js';
import { normalFeatures, pair, random, rotated } from './testing/draw-features.js';

describe('kernelDistance', () => {
  test.each(golden.kernel)('agrees with numpy', ({ sets, distance }) => {
    const [a, b] = pair(sets);
    expect(Math.abs(kernelDistance(a, b) / distance - 1)).toBeLessThan(1e-12);
    expect(Math.abs(kernelDistance(b, a) / distance - 1)).toBeLessThan(1e-12);
    expect(Math.abs(kernelDistance(rotated(a, 5), rotated(b, 5)) / distance - 1)).toBeLessThan(1e-9);
  });

  test('by hand: 1 and 3 against 2 and 0', () => {
    // k(1, 3) + k(2, 0) - 2 mean of k(1, 2), k(1, 0), k(3, 2), k(3, 0)
    const expected = 4 ** 3 + 1 - (2 * (3 ** 3 + 1 + 7 ** 3 + 1)) / 4;
    expect(kernelDistance(featuresOf([[1], [3]]), featuresOf([[2], [0]]))).toBeCloseTo(expected, 12);
  });

  test('has no bias: of small sets of one distribution it is 0 on average', () => {
    const runs = 400;
    const distances = Array.from({ length: runs }, (_, seed) =>
      kernelDistance(
        normalFeatures({ count: 6, dimensions: 8, seed: 2 * seed }),
        normalFeatures({ count: 9, dimensions: 8, seed: 2 * seed + 1 }),
      ),
    );
    const mean = distances.reduce((sum, distance) => sum + distance) / runs;
    const deviation = Math.sqrt(distances.reduce((sum, distance) => sum + (distance - mean) ** 2, 0) / runs);
    expect(Math.abs(mean)).toBeLessThan((3 * deviation) / Math.sqrt(runs));
    expect(distances.some((distance) => distance < 0)).toBe(true);
  });

  test('one row is refused', () => {
    expect(() => kernelDistance(featuresOf([[1]]), featuresOf([[1], [2]]))).toThrow(/first set has 1 rows, expected 2/);
  });
});

describe('precisionRecall', () => {
  const [generated, real] = pair(golden.precisionRecall.sets).reverse();

  test.each(golden.precisionRecall.scores)('agrees with numpy, k $k', ({ k, precision, recall }) => {
    const scores = precisionRecall({ real, generated, k });
    expect(scores.precision).toBeCloseTo(precision, 12);
    expect(scores.recall).toBeCloseTo(recall, 12);
  });

  test('k is 3', () => {
    expect(precisionRecall({ real, generated })).toEqual(precisionRecall({ real, generated, k: 3 }));
  });

  test('by hand: one of the real pictures, again and again, is true to them but has no variety', () => {
    const spread = featuresOf([[0], [1], [2], [3], [10]]);
    const again = featuresOf([[1], [1], [1], [1], [1]]);
    expect(precisionRecall({ real: spread, generated: again })).toEqual({ precision: 1, recall: 1 / 5 });
  });

  test('by hand: a ball reaches to its edge, not beyond', () => {
    const spread = featuresOf([[0], [2], [4]]);
    const scores = precisionRecall({ real: spread, generated: featuresOf([[6], [6.001], [-2]]), k: 1 });
    // Of those generated, the balls reach 0.001 and 8.001 around.
    expect(scores).toEqual({ precision: 2 / 3, recall: 1 });
  });

  test('from 0 to 1; swapped for swapped sets; 1 for a set and itself; 0 far away; growing with k', () => {
    const sets = fc.tuple(
      fc.integer({ min: 6, max: 20 }),
      fc.integer({ min: 6, max: 20 }),
      fc.integer({ min: 0, max: 1e6 }),
    );
    fc.assert(
      fc.property(sets, ([first, second, seed]) => {
        const dimensions = 1 + Math.floor(random(seed)() * 5);
        const a = normalFeatures({ count: first, dimensions, seed });
        const b = normalFeatures({ count: second, dimensions, seed: seed + 1, shift: 0.5 });
        const { precision, recall } = precisionRecall({ real: a, generated: b });
        expect(Math.min(precision, recall)).toBeGreaterThanOrEqual(0);
        expect(Math.max(precision, recall)).toBeLessThanOrEqual(1);
        expect(precisionRecall({ real: b, generated: a })).toEqual({ precision: recall, recall: precision });
        expect(precisionRecall({ real: a, generated: a })).toEqual({ precision: 1, recall: 1 });
        const far = { ...b, data: b.data.map((value) => value + 1000) as Float64Array };
        expect(precisionRecall({ real: a, generated: far })).toEqual({ precision: 0, recall: 0 });
        const wider = precisionRecall({ real: a, generated: b, k: 5 });
        expect(wider.precision).toBeGreaterThanOrEqual(precision);
        expect(wider.recall).toBeGreaterThanOrEqual(recall);
      }),
      { numRuns: 50 },
    );
  });

  test('no more rows than neighbours are refused', () => {
    const three = featuresOf([[1], [2], [3]]);
    expect(() => precisionRecall({ real: three, generated })).toThrow(/real has 3 rows, expected 4/);
    expect(() => precisionRecall({ real, generated, k: 0 })).toThrow(/k is 0/);
  });
});
