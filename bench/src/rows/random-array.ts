/** @file Numbers that are the same in every process, made fast: a process makes millions before it can start. */

/** Normal numbers with the given standard deviation: Box-Muller over a linear congruential generator. */
export function normalArray(length: number, options: { seed: number; std?: number }): Float32Array {
  const { seed, std = 1 } = options;
  const uniform = uniformNumbers(seed);
  const values = new Float32Array(length);
  for (let i = 0; i < length; i += 2) {
    const radius = std * Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    values[i] = radius * Math.cos(angle);
    if (i + 1 < length) values[i + 1] = radius * Math.sin(angle);
  }
  return values;
}

/** A source of numbers in [0, 1). Multiplier and increment: Press et al., Numerical Recipes, "quick and dirty". */
export function uniformNumbers(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b9) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
