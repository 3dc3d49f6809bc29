import fc from 'fast-check';
import golden from '../fixtures/metrics.json';
import {
  type FeatureStatistics,
  type Features,
  featureStatistics,
  featuresOf,
  frechetDistance,
  mergeStatistics,
} from './index.js';
import { normalFeatures, pair, rotated } from './testing/draw-features.js';

const normal = (mean: number[], variances: number[]) => ({
  dimensions: mean.length,
  mean: Float64Array.from(mean),
  covariance: Float64Array.from({ length: mean.length ** 2 }, (_, i) =>
    i % (mean.length + 1) === 0 ? variances[i / (mean.length + 1)] : 0,
  ),
});

/** Of one set and another, whose rows may be fewer than their dimensions. */
const someSets = fc
  .record({
    dimensions: fc.integer({ min: 1, max: 8 }),
    counts: fc.tuple(fc.integer({ min: 2, max: 20 }), fc.integer({ min: 2, max: 20 })),
    seed: fc.integer({ min: 0, max: 2 ** 31 }),
    scale: fc.constantFrom(1e-3, 1, 1e3),
  })
  .map(({ dimensions, counts, seed, scale }): [Features, Features, number] => [
    normalFeatures({ count: counts[0], dimensions, seed, scale }),
    normalFeatures({ count: counts[1], dimensions, seed: seed + 1, scale, shift: scale }),
    scale ** 2 * dimensions,
  ]);

describe('frechetDistance', () => {
  test('N(0, 1) and N(1, 4) are 2 apart, as published', () => {
    expect(frechetDistance(normal([0], [1]), normal([1], [4]))).toBeCloseTo(2, 12);
  });

  test('of independent dimensions it adds up, those without variance included', () => {
    const distance = frechetDistance(normal([0, 5, 1], [1, 9, 0]), normal([1, 5, 3], [4, 1, 0]));
    expect(distance).toBeCloseTo(2 + (3 - 1) ** 2 + (3 - 1) ** 2, 12);
  });

  test.each(golden.frechet)('agrees with scipy: $name', ({ sets, distance }) => {
    const [a, b] = pair(sets);
    expect(Math.abs(frechetDistance(a, b) / distance - 1)).toBeLessThan(1e-9);
    const statistics: FeatureStatistics[] = [featureStatistics(a), featureStatistics(b)];
    expect(frechetDistance(statistics[0], statistics[1])).toBe(frechetDistance(a, b));
  });

  test('of a set and itself it is 0', () => {
    fc.assert(
      fc.property(someSets, ([a, , scale]) => {
        expect(frechetDistance(a, a) / scale).toBeLessThan(1e-7);
      }),
      { numRuns: 50 },
    );
  });

  test('is symmetric, and the same of turned sets', () => {
    fc.assert(
      fc.property(someSets, fc.integer({ min: 0, max: 1e6 }), ([a, b, scale], seed) => {
        const distance = frechetDistance(a, b);
        expect(Math.abs(frechetDistance(b, a) - distance) / scale).toBeLessThan(1e-6);
        expect(Math.abs(frechetDistance(rotated(a, seed), rotated(b, seed)) - distance) / scale).toBeLessThan(1e-6);
      }),
      { numRuns: 50 },
    );
  });

  test('of a moved set it is the squared way', () => {
    const a = normalFeatures({ count: 10, dimensions: 20, seed: 3 });
    const moved = { ...a, data: a.data.map((value) => value + 0.5) as Float64Array };
    expect(frechetDistance(a, moved)).toBeCloseTo(20 * 0.25, 6);
  });

  test.each([
    [100, 20.9],
    [1000, 2.3],
  ])('of two samples of one distribution it is not 0: %i rows of 64, as the README says', (count, distance) => {
    const [a, b] = [1, 2].map((seed) => normalFeatures({ count, dimensions: 64, seed }));
    expect(frechetDistance(a, b)).toBeCloseTo(distance, 1);
  });

  test('takes f32', () => {
    const a = normalFeatures({ count: 30, dimensions: 4, seed: 1 });
    const b = normalFeatures({ count: 30, dimensions: 4, seed: 2, shift: 1 });
    expect(frechetDistance({ ...a, data: Float32Array.from(a.data) }, b)).toBeCloseTo(frechetDistance(a, b), 5);
  });

  test('what has no covariance is refused', () => {
    const [one, two] = [featuresOf([[1, 2]]), featuresOf([[1], [2]])];
    expect(() => frechetDistance(one, one)).toThrow(/the first set has 1 row; a covariance needs 2/);
    expect(() => frechetDistance(two, normalFeatures({ count: 3, dimensions: 4, seed: 1 }))).toThrow(/1 and 4 numbers/);
    expect(() => frechetDistance(normal([0, 0], [1, -1]), normal([0, 0], [1, 1]))).toThrow(/the eigenvalue -1/);
    expect(() => frechetDistance(normal([0, 0], [1, 1]), normal([0, 0], [1, -1]))).toThrow(/the eigenvalue -1/);
    const turned = { ...normal([0, 0], [1, 1]), covariance: Float64Array.of(1, 0.5, -0.5, 1) };
    expect(() => frechetDistance(turned, turned)).toThrow(/not symmetric: \[1, 0\] is -0.5, \[0, 1\] is 0.5/);
    expect(() => frechetDistance(normal([0], [Number.NaN]), two)).toThrow(/not finite/);
    expect(() => frechetDistance({ ...normal([0], [1]), dimensions: 2 }, two)).toThrow(/expected 2 and 4/);
  });
});

describe('featureStatistics', () => {
  test('agree with numpy', () => {
    const { sets, means, covariances } = golden.frechet[0];
    sets.forEach((rows, set) => {
      const { mean, covariance } = featureStatistics(featuresOf(rows));
      means?.[set].forEach((value, d) => {
        expect(mean[d]).toBeCloseTo(value, 12);
      });
      covariances?.[set].flat().forEach((value, i) => {
        expect(covariance[i]).toBeCloseTo(value, 10);
      });
    });
  });

  test('merged, they are those of all rows', () => {
    const counts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 6 });
    fc.assert(
      fc.property(counts, fc.integer({ min: 0, max: 1e6 }), (counts, seed) => {
        const dimensions = 3;
        const count = counts.reduce((sum, part) => sum + part);
        const all = normalFeatures({ count, dimensions, seed, shift: 1e4 });
        let row = 0;
        const parts = counts.map((part) => {
          const data = all.data.slice(row * dimensions, (row + part) * dimensions);
          row += part;
          return featureStatistics({ count: part, dimensions, data });
        });
        const merged = parts.reduce(mergeStatistics);
        const whole = featureStatistics(all);
        expect(merged.count).toBe(count);
        whole.mean.forEach((value, d) => {
          expect(merged.mean[d]).toBeCloseTo(value, 8);
        });
        whole.covariance.forEach((value, i) => {
          expect(merged.covariance[i]).toBeCloseTo(value, 8);
        });
      }),
    );
  });

  test('rows of other lengths, and numbers that are none, are refused', () => {
    const [a, b] = [featureStatistics(featuresOf([[1]])), featureStatistics(featuresOf([[1, 2]]))];
    expect(() => mergeStatistics(a, b)).toThrow(/1 and 2 numbers/);
    expect(() => featuresOf([[1], [1, 2]])).toThrow(/row 0 has 1 numbers, row 1 has 2/);
    expect(() => featuresOf([])).toThrow(/0 rows/);
    expect(() =>
      featuresOf([
        [0, 1],
        [2, Number.NaN],
      ]),
    ).toThrow(/row 1, number 1 is NaN/);
    expect(() => featureStatistics({ count: 2, dimensions: 2, data: new Float32Array(3) })).toThrow(/\[2, 2\] = 4/);
  });
});
