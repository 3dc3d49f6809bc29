/**
 * @file Product of a few rows with a transposed b, [n, k] in memory, read in place: dot products, each summed in the order of k,
 * as all kernels of products do, so that a row has the same bits however many there are. Lanes are columns: four rows of b
 * as stored are transposed in registers. A tile is a range of columns (rows of b as stored) of one matrix of the batch.
 * Arguments as those of `matmul-rows`.
 */
import { epilogue } from './epilogue';
import { argAddress, argI32, sink } from './scratch';
import { fma, storePair } from './simd';

/** c[16] = a . b_j for sixteen adjacent rows b_j: a single row of a. */
function row1x16(a: usize, b: usize, stride: usize, k: i32, c: usize): void {
  const quarter = stride << 2;
  let c0 = f32x4.splat(0);
  let c1 = c0;
  let c2 = c0;
  let c3 = c0;
  const end = a + (<usize>(k & ~3) << 2);
  for (; a < end; a += 16, b += 16) {
    const x0 = v128.load32_splat(a);
    const x1 = v128.load32_splat(a, 4);
    const x2 = v128.load32_splat(a, 8);
    const x3 = v128.load32_splat(a, 12);
    c0 = fourSteps(x0, x1, x2, x3, b, stride, c0);
    c1 = fourSteps(x0, x1, x2, x3, b + quarter, stride, c1);
    c2 = fourSteps(x0, x1, x2, x3, b + (quarter << 1), stride, c2);
    c3 = fourSteps(x0, x1, x2, x3, b + (quarter << 1) + quarter, stride, c3);
  }
  for (let i = k & 3; i > 0; i--, a += 4, b += 4) {
    const x = v128.load32_splat(a);
    c0 = fma(x, columnOf(b, stride), c0);
    c1 = fma(x, columnOf(b + quarter, stride), c1);
    c2 = fma(x, columnOf(b + (quarter << 1), stride), c2);
    c3 = fma(x, columnOf(b + (quarter << 1) + quarter, stride), c3);
  }
  storePair(c, c0, c1);
  storePair(c + 32, c2, c3);
}

/**
 * Reads a range of memory in order, a value of each cache line: what is then read in another order comes from a cache, and from
 * memory as a single stream, which is faster than sixteen.
 */
@inline
function fetch(from: usize, end: usize): void {
  let sum: i64 = 0;
  for (; from < end; from += 64) sum += load<i64>(from);
  store<i64>(sink, sum);
}

/** sum + x0 b[0] + x1 b[1] + x2 b[2] + x3 b[3], one after the other, for four adjacent rows of b at once. */
@inline
function fourSteps(x0: v128, x1: v128, x2: v128, x3: v128, b: usize, stride: usize, sum: v128): v128 {
  const b2 = b + (stride << 1);
  const r0 = v128.load(b);
  const r1 = v128.load(b + stride);
  const r2 = v128.load(b2);
  const r3 = v128.load(b2 + stride);
  const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
  const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
  const high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
  const high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
  sum = fma(x0, v128.shuffle<f64>(low01, low23, 0, 2), sum);
  sum = fma(x1, v128.shuffle<f64>(low01, low23, 1, 3), sum);
  sum = fma(x2, v128.shuffle<f64>(high01, high23, 0, 2), sum);
  return fma(x3, v128.shuffle<f64>(high01, high23, 1, 3), sum);
}

/** One value of each of four adjacent rows. */
@inline
function columnOf(b: usize, stride: usize): v128 {
  const b2 = b + (stride << 1);
  return f32x4(load<f32>(b), load<f32>(b + stride), load<f32>(b2), load<f32>(b2 + stride));
}

/** c_i[4] = a_i . b_j for four adjacent rows b_j and four rows a_i, `aStride` and `cStride` bytes apart. */
function rows4x4(a0: usize, aStride: usize, b: usize, stride: usize, k: i32, c: usize, cStride: usize): void {
  let a1 = a0 + aStride;
  let a2 = a1 + aStride;
  let a3 = a2 + aStride;
  let c0 = f32x4.splat(0);
  let c1 = c0;
  let c2 = c0;
  let c3 = c0;
  const end = a0 + (<usize>(k & ~3) << 2);
  for (; a0 < end; a0 += 16, a1 += 16, a2 += 16, a3 += 16, b += 16) {
    const b2 = b + (stride << 1);
    const r0 = v128.load(b);
    const r1 = v128.load(b + stride);
    const r2 = v128.load(b2);
    const r3 = v128.load(b2 + stride);
    const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
    const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
    const high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
    const high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
    let z = v128.shuffle<f64>(low01, low23, 0, 2);
    c0 = fma(v128.load32_splat(a0), z, c0);
    c1 = fma(v128.load32_splat(a1), z, c1);
    c2 = fma(v128.load32_splat(a2), z, c2);
    c3 = fma(v128.load32_splat(a3), z, c3);
    z = v128.shuffle<f64>(low01, low23, 1, 3);
    c0 = fma(v128.load32_splat(a0, 4), z, c0);
    c1 = fma(v128.load32_splat(a1, 4), z, c1);
    c2 = fma(v128.load32_splat(a2, 4), z, c2);
    c3 = fma(v128.load32_splat(a3, 4), z, c3);
    z = v128.shuffle<f64>(high01, high23, 0, 2);
    c0 = fma(v128.load32_splat(a0, 8), z, c0);
    c1 = fma(v128.load32_splat(a1, 8), z, c1);
    c2 = fma(v128.load32_splat(a2, 8), z, c2);
    c3 = fma(v128.load32_splat(a3, 8), z, c3);
    z = v128.shuffle<f64>(high01, high23, 1, 3);
    c0 = fma(v128.load32_splat(a0, 12), z, c0);
    c1 = fma(v128.load32_splat(a1, 12), z, c1);
    c2 = fma(v128.load32_splat(a2, 12), z, c2);
    c3 = fma(v128.load32_splat(a3, 12), z, c3);
  }
  for (let i = k & 3; i > 0; i--, a0 += 4, a1 += 4, a2 += 4, a3 += 4, b += 4) {
    const z = columnOf(b, stride);
    c0 = fma(v128.load32_splat(a0), z, c0);
    c1 = fma(v128.load32_splat(a1), z, c1);
    c2 = fma(v128.load32_splat(a2), z, c2);
    c3 = fma(v128.load32_splat(a3), z, c3);
  }
  v128.store(c, c0);
  v128.store(c + cStride, c1);
  v128.store(c + (cStride << 1), c2);
  v128.store(c + (cStride << 1) + cStride, c3);
}

/** c[4] = a . b_j for four adjacent rows b_j. */
function row1x4(a: usize, b: usize, stride: usize, k: i32, c: usize): void {
  let sum = f32x4.splat(0);
  const end = a + (<usize>(k & ~3) << 2);
  for (; a < end; a += 16, b += 16) {
    const x0 = v128.load32_splat(a);
    const x1 = v128.load32_splat(a, 4);
    const x2 = v128.load32_splat(a, 8);
    sum = fourSteps(x0, x1, x2, v128.load32_splat(a, 12), b, stride, sum);
  }
  for (let i = k & 3; i > 0; i--, a += 4, b += 4) sum = fma(v128.load32_splat(a), columnOf(b, stride), sum);
  v128.store(c, sum);
}

/** a . b, with the sum in a lane as above, so that it is rounded alike. */
function dot(a: usize, b: usize, k: i32): f32 {
  let sum = f32x4.splat(0);
  for (let i = 0; i < k; i++, a += 4, b += 4) sum = fma(v128.load32_splat(a), v128.load32_splat(b), sum);
  return f32x4.extract_lane(sum, 0);
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
  const cStride = <usize>n << 2;
  let column = first;
  for (; column + 16 <= end; column += 16) {
    const columns = b + <usize>column * stride;
    const c = output + (<usize>column << 2);
    fetch(columns, columns + (stride << 4));
    let row = 0;
    for (; row + 4 <= m; row += 4) {
      for (let four = 0; four < 16; four += 4) {
        const target = c + <usize>row * cStride + (<usize>four << 2);
        rows4x4(a + <usize>row * stride, stride, columns + <usize>four * stride, stride, k, target, cStride);
      }
    }
    for (; row < m; row++) row1x16(a + <usize>row * stride, columns, stride, k, c + <usize>row * cStride);
  }
  for (; column + 4 <= end; column += 4) {
    const columns = b + <usize>column * stride;
    const c = output + (<usize>column << 2);
    for (let row = 0; row < m; row++) row1x4(a + <usize>row * stride, columns, stride, k, c + <usize>row * cStride);
  }
  for (; column < end; column++) {
    for (let row = 0; row < m; row++) {
      store<f32>(output + (<usize>(row * n + column) << 2), dot(a + <usize>row * stride, b + <usize>column * stride, k));
    }
  }
  epilogue(args, argI32(args, 22), argI32(args, 23), batch * m, batch * m + m, first, end, n, thread);
}
