/** @file Gradient of root-mean-square normalisation by its input. A tile is a block of rows. */
import { loadPartial, storePartial } from './partial';
import { argAddress, argF32, argI32 } from './scratch';
import { fma, fnma, sum4 } from './simd';

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
    const mean = weightedDot(dy, weight, x, columns) / <f32>columns;
    row(x, weight, dy, dx, columns, f32x4.splat(reciprocal), f32x4.splat(reciprocal * reciprocal * mean));
    x += bytes;
    dy += bytes;
    dx += bytes;
  }
}

/** sum(dy w x) */
@inline
function weightedDot(dy: usize, weight: usize, x: usize, columns: i32): f32 {
  let a = f32x4.splat(0);
  let b = a;
  let i = 0;
  for (; i + 8 <= columns; i += 8) {
    const at = <usize>i << 2;
    a = fma(f32x4.mul(v128.load(dy + at), v128.load(weight + at)), v128.load(x + at), a);
    b = fma(f32x4.mul(v128.load(dy + at, 16), v128.load(weight + at, 16)), v128.load(x + at, 16), b);
  }
  if (i + 4 <= columns) {
    const at = <usize>i << 2;
    a = fma(f32x4.mul(v128.load(dy + at), v128.load(weight + at)), v128.load(x + at), a);
    i += 4;
  }
  if (i < columns) {
    const at = <usize>i << 2;
    const count = columns - i;
    const g = f32x4.mul(loadPartial(dy + at, count, 0), loadPartial(weight + at, count, 0));
    b = fma(g, loadPartial(x + at, count, 0), b);
  }
  return sum4(f32x4.add(a, b));
}

/** dx = rstd (dy w - x factor) */
@inline
function row(x: usize, weight: usize, dy: usize, dx: usize, columns: i32, rstd: v128, factor: v128): void {
  let i = 0;
  for (; i + 4 <= columns; i += 4) {
    const at = <usize>i << 2;
    const g = f32x4.mul(v128.load(dy + at), v128.load(weight + at));
    v128.store(dx + at, f32x4.mul(rstd, fnma(v128.load(x + at), factor, g)));
  }
  if (i < columns) {
    const at = <usize>i << 2;
    const count = columns - i;
    const g = f32x4.mul(loadPartial(dy + at, count, 0), loadPartial(weight + at, count, 0));
    storePartial(dx + at, f32x4.mul(rstd, fnma(loadPartial(x + at, count, 0), factor, g)), count);
  }
}
