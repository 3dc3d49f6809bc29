/** @file Root-mean-square normalisation of every row, times a weight. A tile is a block of rows. */
import { loadPartial, storePartial } from './partial';
import { rowDot } from './row-sums';
import { argAddress, argF32, argI32 } from './scratch';
import { storePair } from './simd';

export function rmsNorm(args: usize, tile: i32, thread: i32): void {
  const rows = argI32(args, 0);
  const columns = argI32(args, 1);
  const rowsPerTile = argI32(args, 2);
  const epsilon = argF32(args, 3);
  const weight = argAddress(args, 5);
  const rstd = argAddress(args, 7);
  const bytes = <usize>columns << 2;
  const first = tile * rowsPerTile;
  const last = min<i32>(rows, first + rowsPerTile);
  let x = argAddress(args, 4) + <usize>first * bytes;
  let output = argAddress(args, 6) + <usize>first * bytes;
  for (let r = first; r < last; r++) {
    const reciprocal: f32 = 1 / Mathf.sqrt(rowDot(x, x, columns) / <f32>columns + epsilon);
    store<f32>(rstd + (<usize>r << 2), reciprocal);
    normalise(x, weight, output, columns, f32x4.splat(reciprocal));
    x += bytes;
    output += bytes;
  }
}

@inline
function normalise(x: usize, weight: usize, output: usize, columns: i32, rstd: v128): void {
  let i = 0;
  for (; i + 8 <= columns; i += 8) {
    const at = <usize>i << 2;
    const first = f32x4.mul(f32x4.mul(v128.load(x + at), rstd), v128.load(weight + at));
    storePair(output + at, first, f32x4.mul(f32x4.mul(v128.load(x + at, 16), rstd), v128.load(weight + at, 16)));
  }
  if (i + 4 <= columns) {
    const at = <usize>i << 2;
    v128.store(output + at, f32x4.mul(f32x4.mul(v128.load(x + at), rstd), v128.load(weight + at)));
    i += 4;
  }
  if (i < columns) {
    const at = <usize>i << 2;
    const count = columns - i;
    const y = f32x4.mul(f32x4.mul(loadPartial(x + at, count, 0), rstd), loadPartial(weight + at, count, 0));
    storePartial(output + at, y, count);
  }
}
