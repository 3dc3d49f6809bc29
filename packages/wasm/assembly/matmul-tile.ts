/**
 * @file The 4 x 8 register tile of a matrix product: eight accumulators, two vectors of B, one splat of A. At a
 * multiply-add per accumulator and step this reaches the peak of two 128-bit multiply-add units; 6 x 8 and 3 x 12
 * tiles and unrolled loops measured the same or slower.
 */
import { fma } from './simd';

export const TILE_ROWS: i32 = 4;
export const TILE_COLUMNS: i32 = 8;

/**
 * c[4, 8] = a[4, depth] b[depth, 8] (+ c if `accumulate`). Row i of a starts at a_i and moves `aStep` bytes with each
 * step of depth, b moves `bStep` bytes; rows of c are `cStep` bytes apart.
 */
@inline
export function tile4x8(
  a0: usize, a1: usize, a2: usize, a3: usize, aStep: usize, b: usize, bStep: usize, depth: i32,
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
  for (let k = 0; k < depth; k++) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    b += bStep;
    let x = v128.load32_splat(a0);
    a0 += aStep;
    c00 = fma(x, b0, c00);
    c01 = fma(x, b1, c01);
    x = v128.load32_splat(a1);
    a1 += aStep;
    c10 = fma(x, b0, c10);
    c11 = fma(x, b1, c11);
    x = v128.load32_splat(a2);
    a2 += aStep;
    c20 = fma(x, b0, c20);
    c21 = fma(x, b1, c21);
    x = v128.load32_splat(a3);
    a3 += aStep;
    c30 = fma(x, b0, c30);
    c31 = fma(x, b1, c31);
  }
  storeRow(c, c00, c01, accumulate);
  c += cStep;
  storeRow(c, c10, c11, accumulate);
  c += cStep;
  storeRow(c, c20, c21, accumulate);
  c += cStep;
  storeRow(c, c30, c31, accumulate);
}

/** The same with a packed as [depth, 4]: one pointer instead of four. */
@inline
export function tile4x8Packed(
  a: usize, b: usize, bStep: usize, depth: i32, c: usize, cStep: usize, accumulate: bool,
): void {
  let c00 = f32x4.splat(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  let c30 = c00;
  let c31 = c00;
  for (let k = 0; k < depth; k++) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    b += bStep;
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
    a += 16;
    c30 = fma(x, b0, c30);
    c31 = fma(x, b1, c31);
  }
  storeRow(c, c00, c01, accumulate);
  c += cStep;
  storeRow(c, c10, c11, accumulate);
  c += cStep;
  storeRow(c, c20, c21, accumulate);
  c += cStep;
  storeRow(c, c30, c31, accumulate);
}

@inline
export function storeRow(c: usize, left: v128, right: v128, accumulate: bool): void {
  if (accumulate) {
    v128.store(c, f32x4.add(v128.load(c), left));
    v128.store(c, f32x4.add(v128.load(c, 16), right), 16);
  } else {
    v128.store(c, left);
    v128.store(c, right, 16);
  }
}

/** Adds or stores the first rows x columns of a 4 x 8 block (32 bytes a row) to c. */
export function storePart(block: usize, rows: i32, columns: i32, c: usize, cStep: usize, accumulate: bool): void {
  for (let i = 0; i < rows; i++, block += 32, c += cStep) {
    for (let j = 0; j < columns; j++) {
      const value = load<f32>(block + (<usize>j << 2));
      const target = c + (<usize>j << 2);
      store<f32>(target, accumulate ? load<f32>(target) + value : value);
    }
  }
}
