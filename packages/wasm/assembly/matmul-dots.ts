/**
 * @file Product of a few rows with a transposed b, [n, k] in memory: dot products of rows, read in place. A tile is a
 * range of columns (rows of b as stored) of one matrix of the batch. Arguments as those of `matmul-rows`.
 */
import { epilogue } from './epilogue';
import { argAddress, argI32 } from './scratch';
import { fma } from './simd';

/** The sums of the lanes of four vectors, as one vector. */
@inline
export function sums(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f64>(ab, cd, 0, 2), v128.shuffle<f64>(ab, cd, 1, 3));
}

/** c0[4] = a0 . b_j and c1[4] = a1 . b_j for four adjacent rows b_j, `stride` bytes apart. */
function dots2x4(a0: usize, a1: usize, b0: usize, stride: usize, k: i32, c0: usize, c1: usize): void {
  let b1 = b0 + stride;
  let b2 = b1 + stride;
  let b3 = b2 + stride;
  let s00 = f32x4.splat(0);
  let s01 = s00;
  let s02 = s00;
  let s03 = s00;
  let s10 = s00;
  let s11 = s00;
  let s12 = s00;
  let s13 = s00;
  const end = a0 + (<usize>(k & ~3) << 2);
  for (; a0 < end; a0 += 16, a1 += 16, b0 += 16, b1 += 16, b2 += 16, b3 += 16) {
    const x = v128.load(a0);
    const y = v128.load(a1);
    let z = v128.load(b0);
    s00 = fma(x, z, s00);
    s10 = fma(y, z, s10);
    z = v128.load(b1);
    s01 = fma(x, z, s01);
    s11 = fma(y, z, s11);
    z = v128.load(b2);
    s02 = fma(x, z, s02);
    s12 = fma(y, z, s12);
    z = v128.load(b3);
    s03 = fma(x, z, s03);
    s13 = fma(y, z, s13);
  }
  let first = sums(s00, s01, s02, s03);
  let second = sums(s10, s11, s12, s13);
  for (let i = k & 3; i > 0; i--, a0 += 4, a1 += 4, b0 += 4, b1 += 4, b2 += 4, b3 += 4) {
    const z = f32x4(load<f32>(b0), load<f32>(b1), load<f32>(b2), load<f32>(b3));
    first = fma(v128.load32_splat(a0), z, first);
    second = fma(v128.load32_splat(a1), z, second);
  }
  v128.store(c1, second);
  v128.store(c0, first);
}

/**
 * Lane sums of a . b. One row of b after the other, so that memory is read as a single stream: from memory, not from a
 * cache, a third faster than four rows at a time.
 */
@inline
function streamDot(a: usize, b: usize, k: i32): v128 {
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  const end = a + (<usize>(k & ~15) << 2);
  for (; a < end; a += 64, b += 64) {
    s0 = fma(v128.load(a), v128.load(b), s0);
    s1 = fma(v128.load(a, 16), v128.load(b, 16), s1);
    s2 = fma(v128.load(a, 32), v128.load(b, 32), s2);
    s3 = fma(v128.load(a, 48), v128.load(b, 48), s3);
  }
  for (let i = (k & 15) >> 2; i > 0; i--, a += 16, b += 16) s0 = fma(v128.load(a), v128.load(b), s0);
  return f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3));
}

/** c[4] = a . b_j for four adjacent rows b_j: a single row of a. Bound by reading b. */
function dots1x4(a: usize, b0: usize, stride: usize, k: i32, c: usize): void {
  const b1 = b0 + stride;
  const b2 = b1 + stride;
  const b3 = b2 + stride;
  let total = sums(streamDot(a, b0, k), streamDot(a, b1, k), streamDot(a, b2, k), streamDot(a, b3, k));
  for (let i = k & ~3; i < k; i++) {
    const at = <usize>i << 2;
    const z = f32x4(load<f32>(b0 + at), load<f32>(b1 + at), load<f32>(b2 + at), load<f32>(b3 + at));
    total = fma(v128.load32_splat(a + at), z, total);
  }
  v128.store(c, total);
}

/** a . b */
function dot(a: usize, b: usize, k: i32): f32 {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  const end = a + (<usize>(k & ~7) << 2);
  for (; a < end; a += 32, b += 32) {
    s0 = fma(v128.load(a), v128.load(b), s0);
    s1 = fma(v128.load(a, 16), v128.load(b, 16), s1);
  }
  s0 = f32x4.add(s0, s1);
  let sum =
    (f32x4.extract_lane(s0, 0) + f32x4.extract_lane(s0, 1)) + (f32x4.extract_lane(s0, 2) + f32x4.extract_lane(s0, 3));
  for (let i = k & 7; i > 0; i--, a += 4, b += 4) sum += load<f32>(a) * load<f32>(b);
  return sum;
}

export function matmulDots(args: usize, tile: i32, thread: i32): void {
  const m = argI32(args, 0);
  const n = argI32(args, 1);
  const k = argI32(args, 2);
  const perTile = argI32(args, 3);
  const columnTiles = argI32(args, 4);
  const batch = tile / columnTiles;
  const first = (tile - batch * columnTiles) * perTile;
  const end = min(first + perTile, n);
  const a = argAddress(args, 5) + <usize>batch * argAddress(args, 6);
  const b = argAddress(args, 7) + <usize>batch * argAddress(args, 8);
  const output = argAddress(args, 19) + <usize>batch * argAddress(args, 20);
  const stride = <usize>k << 2;
  let column = first;
  for (; column + 4 <= end; column += 4) {
    if (m == 1) {
      dots1x4(a, b + <usize>column * stride, stride, k, output + (<usize>column << 2));
      continue;
    }
    for (let row = 0; row < m; row += 2) {
      // An odd last row is computed twice.
      const next = min(row + 1, m - 1);
      const c = output + (<usize>column << 2);
      dots2x4(
        a + <usize>row * stride, a + <usize>next * stride, b + <usize>column * stride, stride, k,
        c + (<usize>(row * n) << 2), c + (<usize>(next * n) << 2),
      );
    }
  }
  for (; column < end; column++) {
    for (let row = 0; row < m; row++) {
      store<f32>(output + (<usize>(row * n + column) << 2), dot(a + <usize>row * stride, b + <usize>column * stride, k));
    }
  }
  epilogue(args, argI32(args, 22), argI32(args, 23), batch * m, batch * m + m, first, end, n, thread);
}
