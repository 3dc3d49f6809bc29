/**
 * @file Product of a few rows with a row-major b, read in place: decoding one token. A tile is a range of columns of
 * one matrix of the batch. Each row takes 32 columns at a time, so that b is read by whole cache lines.
 *
 * Arguments: m, n, k, columns per tile, column tiles, a, a batch stride, b, b batch stride, unused up to 19: output,
 * output batch stride (bytes), unused, word of the epilogue, elements per block of the epilogue. a is [m, k].
 */
import { epilogue } from './epilogue';
import { argAddress, argI32 } from './scratch';
import { fma, storePair } from './simd';

/** c[32] = a[k] b[k, 32] */
function row32(a: usize, b: usize, bStep: usize, k: i32, c: usize): void {
  let c0 = f32x4.splat(0);
  let c1 = c0;
  let c2 = c0;
  let c3 = c0;
  let c4 = c0;
  let c5 = c0;
  let c6 = c0;
  let c7 = c0;
  const end = a + (<usize>k << 2);
  for (; a < end; a += 4, b += bStep) {
    const x = v128.load32_splat(a);
    c0 = fma(x, v128.load(b), c0);
    c1 = fma(x, v128.load(b, 16), c1);
    c2 = fma(x, v128.load(b, 32), c2);
    c3 = fma(x, v128.load(b, 48), c3);
    c4 = fma(x, v128.load(b, 64), c4);
    c5 = fma(x, v128.load(b, 80), c5);
    c6 = fma(x, v128.load(b, 96), c6);
    c7 = fma(x, v128.load(b, 112), c7);
  }
  storePair(c, c0, c1);
  storePair(c + 32, c2, c3);
  storePair(c + 64, c4, c5);
  storePair(c + 96, c6, c7);
}

/** c[count] = a[k] b[k, count], count < 32: four columns at a time, then one. */
function rowTail(a: usize, b: usize, bStep: usize, k: i32, c: usize, count: i32): void {
  const end = a + (<usize>k << 2);
  for (; count >= 4; count -= 4, b += 16, c += 16) {
    let sum = f32x4.splat(0);
    for (let x = a, y = b; x < end; x += 4, y += bStep) sum = fma(v128.load32_splat(x), v128.load(y), sum);
    v128.store(c, sum);
  }
  for (; count > 0; count--, b += 4, c += 4) {
    // In a lane, as above, so that it is rounded alike.
    let sum = f32x4.splat(0);
    for (let x = a, y = b; x < end; x += 4, y += bStep) sum = fma(v128.load32_splat(x), v128.load32_splat(y), sum);
    v128.store_lane<f32>(c, sum, 0);
  }
}

export function matmulRows(args: usize, tile: i32, thread: i32): void {
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
  const bStep = <usize>n << 2;
  for (let column = first; column < end; column += 32) {
    for (let row = 0; row < m; row++) {
      const x = a + (<usize>row * <usize>k << 2);
      const c = output + (<usize>(row * n + column) << 2);
      if (end - column >= 32) row32(x, b + (<usize>column << 2), bStep, k, c);
      else rowTail(x, b + (<usize>column << 2), bStep, k, c, end - column);
    }
  }
  epilogue(args, argI32(args, 22), argI32(args, 23), batch * m, batch * m + m, first, end, n, thread);
}
