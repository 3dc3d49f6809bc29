import { median, relativeDifference } from './statistics.js';

describe('median', () => {
  test('is the middle of an odd count, the mean of the middle two of an even one', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  test('does not reorder what it is given', () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });
});

describe('relativeDifference', () => {
  test('is the largest difference over the root mean square', () => {
    expect(relativeDifference(Float32Array.of(3, 4.5), Float32Array.of(3, 4))).toBeCloseTo(0.5 / Math.sqrt(12.5), 6);
    expect(relativeDifference(Float32Array.of(0, 0), Float32Array.of(0, 0))).toBe(0);
  });

  test('is infinite where lengths differ or a number is missing', () => {
    expect(relativeDifference(Float32Array.of(1), Float32Array.of(1, 2))).toBe(Infinity);
    expect(relativeDifference(Float32Array.of(NaN), Float32Array.of(1))).toBe(Infinity);
  });
});
