/**
 * @file output[i] = expression(inputs[i]). A tile is a range of the row-major order of the iteration space.
 * Arguments: elements, elements per tile, elements per block, word of the expression, word of the output view.
 */
import { evaluate } from './expression';
import { argI32, scratch } from './scratch';
import { contiguousRange, storeView } from './view';

export function elementwise(args: usize, tile: i32, thread: i32): void {
  const elements = argI32(args, 0);
  const perTile = argI32(args, 1);
  const block = argI32(args, 2);
  const expression = args + (<usize>argI32(args, 3) << 2);
  const output = args + (<usize>argI32(args, 4) << 2);
  const registers = scratch(thread);
  const end = <i32>min<i64>(<i64>(tile + 1) * perTile, elements);
  for (let start = tile * perTile; start < end; start += block) {
    const count = min(block, end - start);
    const destination = contiguousRange(output, start, count);
    const result = evaluate(expression, start, count, registers, destination);
    if (destination == 0) storeView(output, start, count, result);
  }
}
