/**
 * @file Sum or maximum over the inner, reduced part of the iteration space. Every row of `length` elements is cut into
 * `chunks` of `chunk` elements (the last may be shorter); output[row * chunks + c] is the reduction of chunk c. With
 * more than one chunk a row, a second command reduces those.
 *
 * Arguments: rows, length, chunk, chunks, segments per tile, output, is maximum, elements per block, word of the
 * expression. A tile is a range of segments, a segment being one chunk of one row.
 */
import { maxRun, sumRun } from './accumulate';
import { evaluate } from './expression';
import { argAddress, argI32, scratch } from './scratch';

function reduceSegment(expression: usize, start: i32, length: i32, block: i32, registers: usize, maximum: bool): f32 {
  let sum: f64 = 0;
  let largest: f32 = -Infinity;
  const end = start + length;
  for (; start < end; start += block) {
    const count = min(block, end - start);
    const values = evaluate(expression, start, count, registers, 0);
    if (maximum) largest = max<f32>(largest, maxRun(values, count));
    else sum += sumRun(values, count);
  }
  return maximum ? largest : <f32>sum;
}

/** Rows shorter than a block: as many whole rows as fit into one are evaluated together. */
function reduceShortRows(
  expression: usize, row: i32, end: i32, length: i32, block: i32, registers: usize, output: usize, maximum: bool,
): void {
  const group = block / length;
  for (; row < end; row += group) {
    const rows = min(group, end - row);
    let values = evaluate(expression, row * length, rows * length, registers, 0);
    for (let i = 0; i < rows; i++, values += <usize>length << 2) {
      store<f32>(output + (<usize>(row + i) << 2), maximum ? maxRun(values, length) : <f32>sumRun(values, length));
    }
  }
}

export function reduceRows(args: usize, tile: i32, thread: i32): void {
  const length = argI32(args, 1);
  const chunk = argI32(args, 2);
  const chunks = argI32(args, 3);
  const perTile = argI32(args, 4);
  const output = argAddress(args, 5);
  const maximum = argI32(args, 6) != 0;
  const block = argI32(args, 7);
  const expression = args + (<usize>argI32(args, 8) << 2);
  const registers = scratch(thread);
  const end = min((tile + 1) * perTile, argI32(args, 0) * chunks);
  let segment = tile * perTile;
  if (chunks == 1 && length <= block >> 1) {
    reduceShortRows(expression, segment, end, length, block, registers, output, maximum);
    return;
  }
  for (; segment < end; segment++) {
    const row = segment / chunks;
    const first = (segment - row * chunks) * chunk;
    const count = min(chunk, length - first);
    const value = reduceSegment(expression, row * length + first, count, block, registers, maximum);
    store<f32>(output + (<usize>segment << 2), value);
  }
}
