/**
 * @file The register tiles of convolutions: those of `matmul-tile`, over a depth that lies in memory in segments at equal
 * distances (filter rows in the forward direction, image rows in the weight gradient).
 */
import { storeRow } from './matmul-tile';
import { fma } from './simd';

/**
 * c[4, 8] = a[4, depth] b[depth, 8] (+ c if `accumulate`), depth = segments x length. Row i of a starts at a_i, is
 * adjacent within a segment, and skips `skip` bytes after each; b is packed.
 */
@inline
export function tile4x8Segments(
  a0: usize, a1: usize, a2: usize, a3: usize, skip: usize, b: usize, segments: i32, length: i32,
  c: usize, cStep: usize, accumulate: bool,
): void {
  let c00 = f32x4.splat(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  let c30 = c00;
  let c31 = c00;
  for (; segments > 0; segments--) {
    for (let k = length; k > 0; k--) {
      const b0 = v128.load(b);
      const b1 = v128.load(b, 16);
      b += 32;
      let x = v128.load32_splat(a0);
      a0 += 4;
      c00 = fma(x, b0, c00);
      c01 = fma(x, b1, c01);
      x = v128.load32_splat(a1);
      a1 += 4;
      c10 = fma(x, b0, c10);
      c11 = fma(x, b1, c11);
      x = v128.load32_splat(a2);
      a2 += 4;
      c20 = fma(x, b0, c20);
      c21 = fma(x, b1, c21);
      x = v128.load32_splat(a3);
      a3 += 4;
      c30 = fma(x, b0, c30);
      c31 = fma(x, b1, c31);
    }
    a0 += skip;
    a1 += skip;
    a2 += skip;
    a3 += skip;
  }
  storeRow(c, c00, c01, accumulate);
  c += cStep;
  storeRow(c, c10, c11, accumulate);
  c += cStep;
  storeRow(c, c20, c21, accumulate);
  c += cStep;
  storeRow(c, c30, c31, accumulate);
}

/**
 * The same with the four rows of a adjacent in memory (channels of one pixel): a moves `step` bytes with each step of
 * depth, and `skip` more after each segment.
 */
@inline
export function tile4x8AdjacentSegments(
  a: usize, step: usize, skip: usize, b: usize, segments: i32, length: i32, c: usize, cStep: usize, accumulate: bool,
): void {
  let c00 = f32x4.splat(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  let c30 = c00;
  let c31 = c00;
  for (; segments > 0; segments--) {
    for (let k = length; k > 0; k--) {
      const b0 = v128.load(b);
      const b1 = v128.load(b, 16);
      b += 32;
      let x = v128.load32_splat(a);
      c00 = fma(x, b0, c00);
      c01 = fma(x, b1, c01);
      x = v128.load32_splat(a, 4);
      c10 = fma(x, b0, c10);
      c11 = fma(x, b1, c11);
      x = v128.load32_splat(a, 8);
      c20 = fma(x, b0, c20);
      c21 = fma(x, b1, c21);
      x = v128.load32_splat(a, 12);
      a += step;
      c30 = fma(x, b0, c30);
      c31 = fma(x, b1, c31);
    }
    a += skip;
  }
  storeRow(c, c00, c01, accumulate);
  c += cStep;
  storeRow(c, c10, c11, accumulate);
  c += cStep;
  storeRow(c, c20, c21, accumulate);
  c += cStep;
  storeRow(c, c30, c31, accumulate);
}
