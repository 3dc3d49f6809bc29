/** @file Philox seeds and counters of an autoencoder's draws in the graph. */

/** Their fourth words, so that latents' noise and revivals are independent. */
export const DRAWS = { latents: 0, revival: 1 } as const;

/** i32 [4] of a step, counted from 0. */
export function seedOf(seed: number, step: number, draw: number): Int32Array {
  return Int32Array.of(seed % 2 ** 32, Math.floor(seed / 2 ** 32), step, draw);
}
