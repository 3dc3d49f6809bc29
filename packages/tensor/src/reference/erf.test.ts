import { erf } from './erf.js';

describe('erf', () => {
  // Abramowitz and Stegun, Table 7.1, and NIST DLMF 7.23: ten digits and more.
  test.each([
    [0, 0],
    [0.02, 0.0225645747],
    [0.1, 0.112462916],
    [0.5, 0.5204998778],
    [0.84, 0.7651427115],
    [1, 0.8427007929],
    [1.5, 0.9661051465],
    [2, 0.995322265],
  ])('erf(%p) = %p (tables)', (x, expected) => {
    expect(Math.abs(erf(x) - expected)).toBeLessThanOrEqual(5.1e-11);
    expect(erf(-x)).toBe(-erf(x));
  });

  // erfc in the tail, where 1 - erf loses everything but the leading digits.
  test.each([
    [2.5, 4.069520174449589e-4],
    [3, 2.209049699858544e-5],
    [4, 1.541725790028002e-8],
    [5, 1.5374597944280349e-12],
  ])('1 - erf(%p) = %p', (x, expected) => {
    expect(Math.abs(1 - erf(x) - expected)).toBeLessThan(3e-16);
  });

  test('is the integral of its derivative, across the change of method', () => {
    const derivative = (x: number) => (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x);
    for (const x of [0.3, 1.2, 2.49, 2.5, 2.51, 3.4]) {
      const h = 1e-4;
      expect(Math.abs((erf(x + h) - erf(x - h)) / (2 * h) - derivative(x))).toBeLessThan(2e-8);
    }
  });

  test('keeps special values', () => {
    expect(erf(Number.POSITIVE_INFINITY)).toBe(1);
    expect(erf(Number.NEGATIVE_INFINITY)).toBe(-1);
    expect(erf(Number.NaN)).toBeNaN();
    expect(Object.is(erf(-0), -0)).toBe(true);
    expect(erf(1e-300)).toBeCloseTo(0, 15);
  });
});
