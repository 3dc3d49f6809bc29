/**
 * @file Multiply-add. The build compiles two modules, one with `--enable relaxed-simd` and one without; the compiler's
 * own constant tells them apart, so kernels just `import { fma } from './simd'`.
 */

import { sink } from './scratch';

/** x * y + z: rounded once with relaxed SIMD (where the CPU fuses), twice with plain SIMD. */
@inline
export function fma(x: v128, y: v128, z: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(x, y, z);
  return f32x4.add(f32x4.mul(x, y), z);
}

/** z - x * y, likewise. */
@inline
export function fnma(x: v128, y: v128, z: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_nmadd(x, y, z);
  return f32x4.sub(z, f32x4.mul(x, y));
}

/** Stores two vectors side by side, the second first: see `width.ts`. */
@inline
export function storePair(target: usize, first: v128, second: v128): void {
  v128.store(target, second, 16);
  v128.store(target, first);
}

/**
 * Makes a pair of two vectors that are not stored: engines look for pairs where vectors are added as integers too (V8 does).
 * The sum goes where nobody reads it.
 */
@inline
export function pairUp(a: v128, b: v128): void {
  v128.store(sink, i32x4.add(a, b));
}

/** The sum of the four lanes, as (0 + 2) + (1 + 3). */
@inline
export function sum4(x: v128): f32 {
  const y = f32x4.add(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1));
  return f32x4.extract_lane(y, 0) + f32x4.extract_lane(y, 1);
}

/** The largest of the four lanes; NaN if any lane is NaN. */
@inline
export function max4(x: v128): f32 {
  const y = f32x4.max(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1));
  return max<f32>(f32x4.extract_lane(y, 0), f32x4.extract_lane(y, 1));
}
