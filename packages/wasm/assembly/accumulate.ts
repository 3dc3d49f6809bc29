/**
 * @file Sums and maxima of dense runs. Sums keep 16 f32 partial sums over at most a block of elements and continue in
 * f64, so that their error does not grow with the length.
 */
import { max4, pairUp, storePair } from './simd';

/** The sum of `count` elements: 16 partial sums, combined in f64. */
export function sumRun(source: usize, count: i32): f64 {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  const blockEnd = source + (<usize>(count & ~15) << 2);
  for (; source < blockEnd; source += 64) {
    s0 = f32x4.add(s0, v128.load(source));
    s1 = f32x4.add(s1, v128.load(source, 16));
    s2 = f32x4.add(s2, v128.load(source, 32));
    s3 = f32x4.add(s3, v128.load(source, 48));
  }
  pairUp(s0, s1);
  pairUp(s2, s3);
  const total = f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3));
  let sum =
    (<f64>f32x4.extract_lane(total, 0) + <f64>f32x4.extract_lane(total, 1)) +
    (<f64>f32x4.extract_lane(total, 2) + <f64>f32x4.extract_lane(total, 3));
  const end = source + (<usize>(count & 15) << 2);
  for (; source < end; source += 4) sum += <f64>load<f32>(source);
  return sum;
}

/** The largest of `count` elements, -inf if there is none; NaN if any is NaN. */
export function maxRun(source: usize, count: i32): f32 {
  let m0 = f32x4.splat(-Infinity);
  let m1 = m0;
  const blockEnd = source + (<usize>(count & ~7) << 2);
  for (; source < blockEnd; source += 32) {
    m0 = f32x4.max(m0, v128.load(source));
    m1 = f32x4.max(m1, v128.load(source, 16));
  }
  pairUp(m0, m1);
  let result = max4(f32x4.max(m0, m1));
  const end = source + (<usize>(count & 7) << 2);
  for (; source < end; source += 4) result = max<f32>(result, load<f32>(source));
  return result;
}

/** target[i] += source[i], f32. */
@inline
export function addRow(target: usize, source: usize, vectors: i32): void {
  for (; vectors >= 2; vectors -= 2, target += 32, source += 32) {
    const first = f32x4.add(v128.load(target), v128.load(source));
    storePair(target, first, f32x4.add(v128.load(target, 16), v128.load(source, 16)));
  }
  if (vectors) v128.store(target, f32x4.add(v128.load(target), v128.load(source)));
}

/** target[i] = max(target[i], source[i]). */
@inline
export function maxRow(target: usize, source: usize, vectors: i32): void {
  for (; vectors >= 2; vectors -= 2, target += 32, source += 32) {
    const first = f32x4.max(v128.load(target), v128.load(source));
    storePair(target, first, f32x4.max(v128.load(target, 16), v128.load(source, 16)));
  }
  if (vectors) v128.store(target, f32x4.max(v128.load(target), v128.load(source)));
}

/** wide[i] += narrow[i], where wide is f64 and narrow f32, which becomes 0. */
export function widenRow(wide: usize, narrow: usize, vectors: i32): void {
  const end = narrow + (<usize>vectors << 4);
  for (; narrow < end; narrow += 16, wide += 32) {
    const x = v128.load(narrow);
    v128.store(wide, f64x2.add(v128.load(wide), f64x2.promote_low_f32x4(x)));
    const high = f64x2.promote_low_f32x4(v128.shuffle<f32>(x, x, 2, 3, 2, 3));
    v128.store(wide, f64x2.add(v128.load(wide, 16), high), 16);
    v128.store(narrow, f32x4.splat(0));
  }
}
