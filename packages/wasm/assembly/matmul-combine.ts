/**
 * @file Adds up the parts of a product whose depth was cut, in order, then applies the epilogue. A tile is a range of
 * elements of the output.
 *
 * Arguments: elements, elements per tile, parts, part stride (bytes), parts' address, unused up to 19: output, then
 * 22: word of the epilogue, 23: elements per block of the epilogue.
 */
import { epilogueRange } from './epilogue';
import { argAddress, argI32 } from './scratch';
import { storePair } from './simd';

export function matmulCombine(args: usize, tile: i32, thread: i32): void {
  const perTile = argI32(args, 1);
  const parts = argI32(args, 2);
  const stride = argAddress(args, 3);
  const start = tile * perTile;
  const end = min(start + perTile, argI32(args, 0));
  const output = argAddress(args, 19);
  let source = argAddress(args, 4) + (<usize>start << 2);
  let target = output + (<usize>start << 2);
  const limit = output + (<usize>end << 2);
  for (; target + 32 <= limit; target += 32, source += 32) {
    let sum0 = v128.load(source), sum1 = v128.load(source, 16);
    let part = source;
    for (let i = 1; i < parts; i++) {
      part += stride;
      sum0 = f32x4.add(sum0, v128.load(part));
      sum1 = f32x4.add(sum1, v128.load(part, 16));
    }
    storePair(target, sum0, sum1);
  }
  if (target + 16 <= limit) {
    let sum = v128.load(source);
    let part = source;
    for (let i = 1; i < parts; i++) sum = f32x4.add(sum, v128.load((part += stride)));
    v128.store(target, sum);
    target += 16;
    source += 16;
  }
  for (; target < limit; target += 4, source += 4) {
    let sum = load<f32>(source);
    let part = source;
    for (let i = 1; i < parts; i++) sum += load<f32>((part += stride));
    store<f32>(target, sum);
  }
  const word = argI32(args, 22);
  if (word) epilogueRange(args + (<usize>word << 2), argI32(args, 23), start, end, output, thread);
}
