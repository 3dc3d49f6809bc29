/** @file Gradient of root-mean-square normalisation by its input. A tile is a block of rows. */
import { loadPartial, storePartial } from './partial';
import { rowDot3 } from './row-sums';
import { argAddress, argF32, argI32 } from './scratch';
import { fnma, storePair } from './simd';

export function rmsNormGrad(args: usize, tile: i32, thread: i32): void {
  const rows = argI32(args, 0);
  const columns = argI32(args, 1);
  const rowsPerTile = argI32(args, 2);
  const weight = argAddress(args, 4);
  const rstd = argAddress(args, 5);
  const bytes = <usize>columns << 2;
  const first = tile * rowsPerTile;
  const last = min<i32>(rows, first + rowsPerTile);
  let x = argAddress(args, 3) + <usize>first * bytes;
  let dy = argAddress(args, 6) + <usize>first * bytes;
  let dx = argAddress(args, 7) + <usize>first * bytes;
  for (let r = first; r < last; r++) {
    const reciprocal = load<f32>(rstd + (<usize>r << 2));
    const mean = rowDot3(dy, weight, x, columns) / <f32>columns;
    row(x, weight, dy, dx, columns, f32x4.splat(reciprocal), f32x4.splat(reciprocal * reciprocal * mean));
    x += bytes;
    dy += bytes;
    dx += bytes;
  }
}

/** dx = rstd (dy w - x factor) */
@inline
function row(x: usize, weight: usize, dy: usize, dx: usize, columns: i32, rstd: v128, factor: v128): void {
  let i = 0;
  for (; i + 8 <= columns; i += 8) {
    const at = <usize>i << 2;
    const g0 = f32x4.mul(v128.load(dy + at), v128.load(weight + at));
    const g1 = f32x4.mul(v128.load(dy + at, 16), v128.load(weight + at, 16));
    const first = f32x4.mul(rstd, fnma(v128.load(x + at), factor, g0));
    storePair(dx + at, first, f32x4.mul(rstd, fnma(v128.load(x + at, 16), factor, g1)));
  }
  if (i + 4 <= columns) {
    const at = <usize>i << 2;
    const g = f32x4.mul(v128.load(dy + at), v128.load(weight + at));
    v128.store(dx + at, f32x4.mul(rstd, fnma(v128.load(x + at), factor, g)));
    i += 4;
  }
  if (i < columns) {
    const at = <usize>i << 2;
    const count = columns - i;
    const g = f32x4.mul(loadPartial(dy + at, count, 0), loadPartial(weight + at, count, 0));
    storePartial(dx + at, f32x4.mul(rstd, fnma(loadPartial(x + at, count, 0), factor, g)), count);
  }
}
