/** @file Softmax, or its logarithm, of every row. A tile is a block of rows. */
import { constants } from './constants';
import { log4 } from './math';
import { loadPartial, storePartial } from './partial';
import { rowExp, rowMax, rowSumExp } from './row-sums';
import { argAddress, argI32 } from './scratch';
import { storePair } from './simd';

export function softmax(args: usize, tile: i32, thread: i32): void {
  const rows = argI32(args, 0);
  const columns = argI32(args, 1);
  const rowsPerTile = argI32(args, 2);
  const logarithm = argI32(args, 3);
  const bytes = <usize>columns << 2;
  const first = tile * rowsPerTile;
  const last = min<i32>(rows, first + rowsPerTile);
  let x = argAddress(args, 4) + <usize>first * bytes;
  let y = argAddress(args, 5) + <usize>first * bytes;
  for (let r = first; r < last; r++) {
    const max = rowMax(x, columns);
    if (logarithm) {
      const logSum = f32x4.extract_lane(log4(f32x4.splat(rowSumExp(x, columns, max)), constants), 0);
      subtract(x, y, columns, max, logSum);
    } else {
      scale(y, columns, 1 / rowExp(x, y, columns, max));
    }
    x += bytes;
    y += bytes;
  }
}

/** y = (x - a) - b: in this order, because a + b would round away a small b. */
@inline
function subtract(x: usize, y: usize, columns: i32, a: f32, b: f32): void {
  const va = f32x4.splat(a);
  const vb = f32x4.splat(b);
  let i = 0;
  for (; i + 8 <= columns; i += 8) {
    storePair(
      y, f32x4.sub(f32x4.sub(v128.load(x), va), vb), f32x4.sub(f32x4.sub(v128.load(x, 16), va), vb),
    );
    x += 32;
    y += 32;
  }
  if (i + 4 <= columns) {
    v128.store(y, f32x4.sub(f32x4.sub(v128.load(x), va), vb));
    i += 4;
    x += 16;
    y += 16;
  }
  if (i < columns) {
    const v = loadPartial(x, columns - i, 0);
    storePartial(y, f32x4.sub(f32x4.sub(v, va), vb), columns - i);
  }
}

@inline
function scale(y: usize, columns: i32, factor: f32): void {
  const f = f32x4.splat(factor);
  let i = 0;
  for (; i + 8 <= columns; i += 8) {
    storePair(y, f32x4.mul(v128.load(y), f), f32x4.mul(v128.load(y, 16), f));
    y += 32;
  }
  if (i + 4 <= columns) {
    v128.store(y, f32x4.mul(v128.load(y), f));
    i += 4;
    y += 16;
  }
  if (i < columns) storePartial(y, f32x4.mul(loadPartial(y, columns - i, 0), f), columns - i);
}
