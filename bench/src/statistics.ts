/** @file Numbers about numbers. */

/** The middle value; the mean of the two in the middle of an even count. NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length % 2 === 1) return sorted[Math.floor(middle)];
  return (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * The largest difference of two arrays relative to the root mean square of `expected`; Infinity where the lengths differ
 * or a number is not finite.
 */
export function relativeDifference(actual: Float32Array, expected: Float32Array): number {
  if (actual.length !== expected.length) return Infinity;
  let squares = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i] - expected[i]);
    if (!Number.isFinite(difference)) return Infinity;
    squares += expected[i] ** 2;
    largest = Math.max(largest, difference);
  }
  return largest === 0 ? 0 : largest / Math.sqrt(squares / expected.length);
}
