/** @file Deterministic numbers for tests. */

/** A generator of uniform numbers in [0, 1): mulberry32. */
export function uniforms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `count` numbers between -`scale` and `scale`. */
export function floats(count: number, seed: number, scale = 1): Float32Array {
  const next = uniforms(seed);
  return Float32Array.from({ length: count }, () => (next() * 2 - 1) * scale);
}

/** `count` whole numbers from `low` to `high` - 1. */
export function integers(count: number, seed: number, low: number, high: number): Int32Array {
  const next = uniforms(seed);
  return Int32Array.from({ length: count }, () => low + Math.floor(next() * (high - low)));
}
