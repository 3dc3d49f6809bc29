/** @file Gradient of cross-entropy by the logits. A tile is a block of rows. */
import { constants } from './constants';
import { expOrZero4 } from './math';
import { clearRow, loadPartial, storePartial } from './partial';
import { argAddress, argI32 } from './scratch';
import { storePair } from './simd';

export function crossEntropyGrad(args: usize, tile: i32, thread: i32): void {
  const rows = argI32(args, 0);
  const classes = argI32(args, 1);
  const rowsPerTile = argI32(args, 2);
  const logits = argAddress(args, 3);
  const targets = argAddress(args, 4);
  const lse = argAddress(args, 5);
  const dLoss = argAddress(args, 6);
  const dLogits = argAddress(args, 7);
  const bytes = <usize>classes << 2;
  const first = tile * rowsPerTile;
  const last = min<i32>(rows, first + rowsPerTile);
  for (let r = first; r < last; r++) {
    const at = <usize>r << 2;
    const x = logits + <usize>r * bytes;
    const dx = dLogits + <usize>r * bytes;
    const target = load<i32>(targets + at);
    const gradient = load<f32>(dLoss + at);
    if (<u32>target >= <u32>classes) {
      clearRow(dx, bytes);
      continue;
    }
    row(x, dx, classes, f32x4.splat(load<f32>(lse + at)), f32x4.splat(gradient));
    const own = dx + (<usize>target << 2);
    store<f32>(own, load<f32>(own) - gradient);
  }
}

/** dx = gradient exp(x - lse) */
@inline
function row(x: usize, dx: usize, classes: i32, lse: v128, gradient: v128): void {
  const k = constants;
  let i = 0;
  for (; i + 8 <= classes; i += 8) {
    const at = <usize>i << 2;
    const first = f32x4.mul(gradient, expOrZero4(f32x4.sub(v128.load(x + at), lse), k));
    storePair(dx + at, first, f32x4.mul(gradient, expOrZero4(f32x4.sub(v128.load(x + at, 16), lse), k)));
  }
  if (i + 4 <= classes) {
    const at = <usize>i << 2;
    v128.store(dx + at, f32x4.mul(gradient, expOrZero4(f32x4.sub(v128.load(x + at), lse), k)));
    i += 4;
  }
  if (i < classes) {
    const at = <usize>i << 2;
    const p = expOrZero4(f32x4.sub(loadPartial(x + at, classes - i, 0), lse), k);
    storePartial(dx + at, f32x4.mul(gradient, p), classes - i);
  }
}
