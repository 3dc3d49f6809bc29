/**
 * @file The register tile of all products: c[4, TILE_COLUMNS] = a b, or c += a b, with an accumulator for every vector of c,
 * TILE_COLUMNS / 4 vectors of b and one splat of a at a time. At a multiply-add per accumulator and step this reaches the
 * peak of two multiply-add units; a tile of six rows, or an unrolled loop, measured the same or slower.
 *
 * Depth is `segments` runs of `length` steps: rows of an image beside a filter, else a single run. With every step, a moves
 * by `aStep` bytes and b by `bStep`; after every run a skips `aSkip` bytes more.
 */
import { fma, storePair } from './simd';
import { TILE_BYTES, WIDE } from './width';

export const TILE_ROWS: i32 = 4;

/** Row i of a begins at a_i. */
export function tileOfRows(
  a0: usize, a1: usize, a2: usize, a3: usize, aStep: usize, aSkip: usize, b: usize, bStep: usize, segments: i32,
  length: i32, c: usize, cStep: usize, accumulate: bool,
): void {
  tile(false, a0, a1, a2, a3, aStep, aSkip, b, bStep, segments, length, c, cStep, accumulate);
}

/** The four rows of a are adjacent in memory. */
export function tileOfAdjacent(
  a: usize, aStep: usize, aSkip: usize, b: usize, bStep: usize, segments: i32, length: i32,
  c: usize, cStep: usize, accumulate: bool,
): void {
  tile(true, a, a, a, a, aStep, aSkip, b, bStep, segments, length, c, cStep, accumulate);
}

/** `adjacent` is a literal at every call. */
@inline
function tile(
  adjacent: bool, a0: usize, a1: usize, a2: usize, a3: usize, aStep: usize, aSkip: usize, b: usize, bStep: usize,
  segments: i32, length: i32, c: usize, cStep: usize, accumulate: bool,
): void {
  let c00 = f32x4.splat(0), c01 = c00, c02 = c00, c03 = c00;
  let c10 = c00, c11 = c00, c12 = c00, c13 = c00;
  let c20 = c00, c21 = c00, c22 = c00, c23 = c00;
  let c30 = c00, c31 = c00, c32 = c00, c33 = c00;
  let at: usize = 0;
  for (; segments > 0; segments--) {
    for (let k = length; k > 0; k--) {
      const b0 = v128.load(b), b1 = v128.load(b, 16);
      const b2 = WIDE ? v128.load(b, 32) : b0, b3 = WIDE ? v128.load(b, 48) : b1;
      b += bStep;
      let x = v128.load32_splat(a0 + at);
      c00 = fma(x, b0, c00);
      c01 = fma(x, b1, c01);
      if (WIDE) {
        c02 = fma(x, b2, c02);
        c03 = fma(x, b3, c03);
      }
      x = adjacent ? v128.load32_splat(a0 + at, 4) : v128.load32_splat(a1 + at);
      c10 = fma(x, b0, c10);
      c11 = fma(x, b1, c11);
      if (WIDE) {
        c12 = fma(x, b2, c12);
        c13 = fma(x, b3, c13);
      }
      x = adjacent ? v128.load32_splat(a0 + at, 8) : v128.load32_splat(a2 + at);
      c20 = fma(x, b0, c20);
      c21 = fma(x, b1, c21);
      if (WIDE) {
        c22 = fma(x, b2, c22);
        c23 = fma(x, b3, c23);
      }
      x = adjacent ? v128.load32_splat(a0 + at, 12) : v128.load32_splat(a3 + at);
      c30 = fma(x, b0, c30);
      c31 = fma(x, b1, c31);
      if (WIDE) {
        c32 = fma(x, b2, c32);
        c33 = fma(x, b3, c33);
      }
      at += aStep;
    }
    at += aSkip;
  }
  // One branch for all rows: with one for each, V8 keeps the accumulators in memory during the loop as well.
  if (accumulate) {
    addRow(c, c00, c01, c02, c03);
    c += cStep;
    addRow(c, c10, c11, c12, c13);
    c += cStep;
    addRow(c, c20, c21, c22, c23);
    c += cStep;
    addRow(c, c30, c31, c32, c33);
  } else {
    storeRow(c, c00, c01, c02, c03);
    c += cStep;
    storeRow(c, c10, c11, c12, c13);
    c += cStep;
    storeRow(c, c20, c21, c22, c23);
    c += cStep;
    storeRow(c, c30, c31, c32, c33);
  }
}

@inline
function storeRow(c: usize, x0: v128, x1: v128, x2: v128, x3: v128): void {
  storePair(c, x0, x1);
  if (WIDE) storePair(c + 32, x2, x3);
}

@inline
function addRow(c: usize, x0: v128, x1: v128, x2: v128, x3: v128): void {
  storePair(c, f32x4.add(v128.load(c), x0), f32x4.add(v128.load(c, 16), x1));
  if (WIDE) storePair(c + 32, f32x4.add(v128.load(c, 32), x2), f32x4.add(v128.load(c, 48), x3));
}

/** One row of a and of c, for what is left of rows. */
export function tileOfOneRow(
  a: usize, aStep: usize, b: usize, bStep: usize, length: i32, c: usize, accumulate: bool,
): void {
  let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0;
  for (let k = length; k > 0; k--) {
    const x = v128.load32_splat(a);
    c0 = fma(x, v128.load(b), c0);
    c1 = fma(x, v128.load(b, 16), c1);
    if (WIDE) {
      c2 = fma(x, v128.load(b, 32), c2);
      c3 = fma(x, v128.load(b, 48), c3);
    }
    a += aStep;
    b += bStep;
  }
  if (accumulate) addRow(c, c0, c1, c2, c3);
  else storeRow(c, c0, c1, c2, c3);
}

/** Adds or stores the first rows x columns of a tile (its rows TILE_COLUMNS floats apart) to c. */
export function storePart(tile: usize, rows: i32, columns: i32, c: usize, cStep: usize, accumulate: bool): void {
  for (let i = 0; i < rows; i++, tile += TILE_BYTES, c += cStep) {
    for (let j = 0; j < columns; j++) {
      const value = load<f32>(tile + (<usize>j << 2));
      const target = c + (<usize>j << 2);
      store<f32>(target, accumulate ? load<f32>(target) + value : value);
    }
  }
}
