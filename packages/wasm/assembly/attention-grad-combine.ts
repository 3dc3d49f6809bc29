/** @file Adds the parts of the queries' gradient that chunks of keys have left. A tile is a block of elements. */
import { storePartial } from './partial';
import { argAddress, argI32 } from './scratch';

export function attentionGradCombine(args: usize, tile: i32, thread: i32): void {
  const elements = argI32(args, 0);
  const elementsPerTile = argI32(args, 1);
  const chunks = argI32(args, 2);
  const partBytes = argAddress(args, 3);
  const parts = argAddress(args, 4);
  const output = argAddress(args, 5);
  const end = <usize>min<i32>(elements, (tile + 1) * elementsPerTile) << 2;
  let at = <usize>(tile * elementsPerTile) << 2;
  // Parts are padded to whole vectors; the output's end may not be.
  for (; at < end; at += 16) {
    let sum = v128.load(parts + at);
    for (let c = 1; c < chunks; c++) sum = f32x4.add(sum, v128.load(parts + <usize>c * partBytes + at));
    if (at + 16 <= end) v128.store(output + at, sum);
    else storePartial(output + at, sum, <i32>((end - at) >> 2));
  }
}
