/** @file Cross-entropy of every row of logits against its target class. A tile is a block of rows. */
import { constants } from './constants';
import { log4 } from './math';
import { rowMax, rowSumExp } from './row-sums';
import { argAddress, argI32 } from './scratch';

export function crossEntropy(args: usize, tile: i32, thread: i32): void {
  const rows = argI32(args, 0);
  const classes = argI32(args, 1);
  const rowsPerTile = argI32(args, 2);
  const logits = argAddress(args, 3);
  const targets = argAddress(args, 4);
  const loss = argAddress(args, 5);
  const lse = argAddress(args, 6);
  const first = tile * rowsPerTile;
  const last = min<i32>(rows, first + rowsPerTile);
  for (let r = first; r < last; r++) {
    const x = logits + ((<usize>r * <usize>classes) << 2);
    const at = <usize>r << 2;
    const max = rowMax(x, classes);
    const logSum = f32x4.extract_lane(log4(f32x4.splat(rowSumExp(x, classes, max)), constants), 0);
    store<f32>(lse + at, max + logSum);
    const target = load<i32>(targets + at);
    let value: f32 = 0;
    // The maximum is subtracted first: a small loss keeps its digits beside large logits.
    if (<u32>target < <u32>classes) value = max - load<f32>(x + (<usize>target << 2)) + logSum;
    store<f32>(loss + at, value);
  }
}
