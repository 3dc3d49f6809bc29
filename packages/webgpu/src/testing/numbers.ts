/** @file Repeatable numbers to test with, and the comparison of results with an f64 reference. */

/** Independent uniform numbers in [0, 1), the same for the same seed (mulberry32). */
export function uniformSource(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Normal numbers of mean 0 and standard deviation `deviation`. */
export function normals(count: number, seed: number, deviation = 1): Float32Array {
  const uniform = uniformSource(seed);
  return Float32Array.from(
    { length: count },
    () => deviation * Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
}

/** Whole numbers in [low, high). */
export function integers(count: number, seed: number, low: number, high: number): Int32Array {
  const uniform = uniformSource(seed);
  return Int32Array.from({ length: count }, () => low + Math.floor(uniform() * (high - low)));
}

/** The largest |actual - expected| / max(1, |expected|) over all elements; Infinity where one is not a number. */
export function largestError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) {
    throw new Error(`compared ${actual.length} numbers with ${expected.length}`);
  }
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i]! - expected[i]!) / Math.max(1, Math.abs(expected[i]!));
    if (Number.isNaN(error)) return Infinity;
    largest = Math.max(largest, error);
  }
  return largest;
}
