/** @file Gradient of softmax or log-softmax from its output. A tile is a block of rows. */
import { constants } from './constants';
import { expOrZero4 } from './math';
import { loadPartial, storePartial } from './partial';
import { rowDot, rowSum } from './row-sums';
import { argAddress, argI32 } from './scratch';
import { fnma, storePair } from './simd';

export function softmaxGrad(args: usize, tile: i32, thread: i32): void {
  const rows = argI32(args, 0);
  const columns = argI32(args, 1);
  const rowsPerTile = argI32(args, 2);
  const logarithm = argI32(args, 3);
  const bytes = <usize>columns << 2;
  const first = tile * rowsPerTile;
  const last = min<i32>(rows, first + rowsPerTile);
  let y = argAddress(args, 4) + <usize>first * bytes;
  let dy = argAddress(args, 5) + <usize>first * bytes;
  let dx = argAddress(args, 6) + <usize>first * bytes;
  for (let r = first; r < last; r++) {
    if (logarithm) logRow(y, dy, dx, columns, f32x4.splat(rowSum(dy, columns)));
    else row(y, dy, dx, columns, f32x4.splat(rowDot(dy, y, columns)));
    y += bytes;
    dy += bytes;
    dx += bytes;
  }
}

/** dx = y (dy - sum) */
@inline
function row(y: usize, dy: usize, dx: usize, columns: i32, sum: v128): void {
  let i = 0;
  for (; i + 8 <= columns; i += 8) {
    const at = <usize>i << 2;
    const first = f32x4.mul(v128.load(y + at), f32x4.sub(v128.load(dy + at), sum));
    storePair(dx + at, first, f32x4.mul(v128.load(y + at, 16), f32x4.sub(v128.load(dy + at, 16), sum)));
  }
  if (i + 4 <= columns) {
    const at = <usize>i << 2;
    v128.store(dx + at, f32x4.mul(v128.load(y + at), f32x4.sub(v128.load(dy + at), sum)));
    i += 4;
  }
  if (i < columns) {
    const at = <usize>i << 2;
    const count = columns - i;
    const g = f32x4.sub(loadPartial(dy + at, count, 0), sum);
    storePartial(dx + at, f32x4.mul(loadPartial(y + at, count, 0), g), count);
  }
}

/** dx = dy - exp(y) sum */
@inline
function logRow(y: usize, dy: usize, dx: usize, columns: i32, sum: v128): void {
  const k = constants;
  let i = 0;
  for (; i + 8 <= columns; i += 8) {
    const at = <usize>i << 2;
    const first = fnma(expOrZero4(v128.load(y + at), k), sum, v128.load(dy + at));
    storePair(dx + at, first, fnma(expOrZero4(v128.load(y + at, 16), k), sum, v128.load(dy + at, 16)));
  }
  if (i + 4 <= columns) {
    const at = <usize>i << 2;
    v128.store(dx + at, fnma(expOrZero4(v128.load(y + at), k), sum, v128.load(dy + at)));
    i += 4;
  }
  if (i < columns) {
    const at = <usize>i << 2;
    const count = columns - i;
    const p = expOrZero4(loadPartial(y + at, count, 0), k);
    storePartial(dx + at, fnma(p, sum, loadPartial(dy + at, count, 0)), count);
  }
}
