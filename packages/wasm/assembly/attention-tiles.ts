/**
 * @file The matrix products of attention, on strips of eight queries. A strip keeps a query in each of eight lanes:
 * queries, scores and outputs are stored transposed, as rows of eight floats. Keys and values are then read where they
 * are, row by row, and softmax needs no sums across lanes. Every product is a tile of four rows of eight lanes. Inner
 * loops are one step long: engines unroll those by themselves, and better than loops that are already unrolled.
 */
import { fma } from './simd';

/** Queries in a strip, and the bytes of a row of a strip. */
export const STRIP: i32 = 8;
export const STRIP_BYTES: usize = 32;

/**
 * c[j][8] = sum over d of x[j][d] b[d][8], for `rows` rows j. Rows of x are `stride` bytes apart, rows of c `cStride`.
 */
export function multiplyRows(x: usize, stride: usize, rows: i32, depth: i32, b: usize, c: usize, cStride: usize): void {
  let j = 0;
  for (; j + 4 <= rows; j += 4) {
    let x0 = x;
    let x1 = x0 + stride;
    let x2 = x1 + stride;
    let x3 = x2 + stride;
    let from = b;
    let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00;
    let c20 = c00, c21 = c00, c30 = c00, c31 = c00;
    for (let d = depth; d > 0; d--) {
      const b0 = v128.load(from), b1 = v128.load(from, 16);
      let a = v128.load32_splat(x0);
      c00 = fma(a, b0, c00);
      c01 = fma(a, b1, c01);
      a = v128.load32_splat(x1);
      c10 = fma(a, b0, c10);
      c11 = fma(a, b1, c11);
      a = v128.load32_splat(x2);
      c20 = fma(a, b0, c20);
      c21 = fma(a, b1, c21);
      a = v128.load32_splat(x3);
      c30 = fma(a, b0, c30);
      c31 = fma(a, b1, c31);
      x0 += 4;
      x1 += 4;
      x2 += 4;
      x3 += 4;
      from += 32;
    }
    v128.store(c, c00);
    v128.store(c, c01, 16);
    c += cStride;
    v128.store(c, c10);
    v128.store(c, c11, 16);
    c += cStride;
    v128.store(c, c20);
    v128.store(c, c21, 16);
    c += cStride;
    v128.store(c, c30);
    v128.store(c, c31, 16);
    c += cStride;
    x += stride * 4;
  }
  for (; j < rows; j++) {
    let c0 = f32x4.splat(0), c1 = c0;
    for (let d = 0; d < depth; d++) {
      const a = v128.load32_splat(x + (<usize>d << 2));
      const from = b + <usize>d * STRIP_BYTES;
      c0 = fma(a, v128.load(from), c0);
      c1 = fma(a, v128.load(from, 16), c1);
    }
    v128.store(c, c0);
    v128.store(c, c1, 16);
    c += cStride;
    x += stride;
  }
}

/**
 * c[d][8] += sum over j of x[j][d] p[j][8], for `columns` columns d and `rows` rows j. Rows of x are `stride` bytes
 * apart, rows of p `pStride`, rows of c follow one another.
 */
export function addColumns(x: usize, stride: usize, rows: i32, columns: i32, p: usize, pStride: usize, c: usize): void {
  let d = 0;
  for (; d + 4 <= columns; d += 4) {
    let c00 = v128.load(c), c01 = v128.load(c, 16), c10 = v128.load(c, 32), c11 = v128.load(c, 48);
    let c20 = v128.load(c, 64), c21 = v128.load(c, 80), c30 = v128.load(c, 96), c31 = v128.load(c, 112);
    let from = x;
    let weights = p;
    for (let j = rows; j > 0; j--) {
      const b0 = v128.load(weights), b1 = v128.load(weights, 16);
      let a = v128.load32_splat(from);
      c00 = fma(a, b0, c00);
      c01 = fma(a, b1, c01);
      a = v128.load32_splat(from, 4);
      c10 = fma(a, b0, c10);
      c11 = fma(a, b1, c11);
      a = v128.load32_splat(from, 8);
      c20 = fma(a, b0, c20);
      c21 = fma(a, b1, c21);
      a = v128.load32_splat(from, 12);
      c30 = fma(a, b0, c30);
      c31 = fma(a, b1, c31);
      from += stride;
      weights += pStride;
    }
    v128.store(c, c00);
    v128.store(c, c01, 16);
    v128.store(c, c10, 32);
    v128.store(c, c11, 48);
    v128.store(c, c20, 64);
    v128.store(c, c21, 80);
    v128.store(c, c30, 96);
    v128.store(c, c31, 112);
    c += 128;
    x += 16;
  }
  for (; d < columns; d++) {
    let c0 = v128.load(c), c1 = v128.load(c, 16);
    let from = x;
    let weights = p;
    for (let j = rows; j > 0; j--) {
      const a = v128.load32_splat(from);
      c0 = fma(a, v128.load(weights), c0);
      c1 = fma(a, v128.load(weights, 16), c1);
      from += stride;
      weights += pStride;
    }
    v128.store(c, c0);
    v128.store(c, c1, 16);
    c += 32;
    x += 4;
  }
}

/**
 * c[j][8] += sum over i of p[j][i] b[i][8], for four rows j and 32 queries i. Rows of p are 128 bytes apart, rows of c
 * `cStride`.
 */
export function addOuter(p: usize, b: usize, c: usize, cStride: usize): void {
  const c1 = c + cStride;
  const c2 = c1 + cStride;
  const c3 = c2 + cStride;
  let c00 = v128.load(c), c01 = v128.load(c, 16), c10 = v128.load(c1), c11 = v128.load(c1, 16);
  let c20 = v128.load(c2), c21 = v128.load(c2, 16), c30 = v128.load(c3), c31 = v128.load(c3, 16);
  for (let i = 0; i < 32; i++) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    let a = v128.load32_splat(p);
    c00 = fma(a, b0, c00);
    c01 = fma(a, b1, c01);
    a = v128.load32_splat(p, 128);
    c10 = fma(a, b0, c10);
    c11 = fma(a, b1, c11);
    a = v128.load32_splat(p, 256);
    c20 = fma(a, b0, c20);
    c21 = fma(a, b1, c21);
    a = v128.load32_splat(p, 384);
    c30 = fma(a, b0, c30);
    c31 = fma(a, b1, c31);
    b += 32;
    p += 4;
  }
  v128.store(c, c00);
  v128.store(c, c01, 16);
  v128.store(c1, c10);
  v128.store(c1, c11, 16);
  v128.store(c2, c20);
  v128.store(c2, c21, 16);
  v128.store(c3, c30);
  v128.store(c3, c31, 16);
}
