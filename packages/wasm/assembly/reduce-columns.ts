/**
 * @file Sum or maximum over the middle axis of an iteration space [outer, length, columns], vectorised over the
 * columns. The middle axis is cut into `chunks` of `chunk` rows (the last may be shorter): output[o, c, column] is the
 * reduction of chunk c. With more than one chunk a second command reduces those.
 *
 * Arguments: length, columns, chunk, chunks, columns per tile, column tiles, output, is maximum, elements per block,
 * word of the expression, bytes of the register area. A tile is (outer, chunk, column tile).
 */
import { addRow, maxRow, widenRow } from './accumulate';
import { evaluate } from './expression';
import { argAddress, argI32, scratch } from './scratch';

/** f32 sums of this many rows are added to the f64 sums. */
const ROWS_IN_F32: i32 = 32;

export function reduceColumns(args: usize, tile: i32, thread: i32): void {
  const length = argI32(args, 0);
  const columns = argI32(args, 1);
  const chunk = argI32(args, 2);
  const chunks = argI32(args, 3);
  const perTile = argI32(args, 4);
  const columnTiles = argI32(args, 5);
  const maximum = argI32(args, 7) != 0;
  const block = argI32(args, 8);
  const expression = args + (<usize>argI32(args, 9) << 2);
  const registers = scratch(thread);

  const columnTile = tile % columnTiles;
  const outerChunk = tile / columnTiles;
  const outer = outerChunk / chunks;
  const firstRow = (outerChunk - outer * chunks) * chunk;
  const endRow = min(firstRow + chunk, length);
  const firstColumn = columnTile * perTile;
  const width = min(perTile, columns - firstColumn);
  const vectors = (width + 3) >> 2;
  // The f32 sums, then the f64 sums, behind the registers.
  const narrow = registers + argAddress(args, 10);
  const wide = narrow + (<usize>(perTile + 4) << 2);
  memory.fill(wide, 0, <usize>vectors << 5);
  for (let i = 0; i < vectors; i++) v128.store(narrow + (<usize>i << 4), f32x4.splat(maximum ? -Infinity : 0));

  // Whole rows are adjacent in the iteration space, so several short ones are evaluated at once.
  const group = width == columns ? max(1, block / columns) : 1;
  let pending = 0;
  for (let row = firstRow; row < endRow; row += group) {
    const rows = min(group, endRow - row);
    let values = evaluate(expression, (outer * length + row) * columns + firstColumn, rows * width, registers, 0);
    for (let i = 0; i < rows; i++, values += <usize>width << 2) {
      if (maximum) {
        maxRow(narrow, values, vectors);
        continue;
      }
      addRow(narrow, values, vectors);
      if (++pending == ROWS_IN_F32) {
        widenRow(wide, narrow, vectors);
        pending = 0;
      }
    }
  }
  const output = argAddress(args, 6) + (<usize>(outerChunk * columns + firstColumn) << 2);
  if (!maximum) widenRow(wide, narrow, vectors);
  for (let i = 0; i < width; i++) {
    const offset = <usize>i << 2;
    store<f32>(output + offset, maximum ? load<f32>(narrow + offset) : <f32>load<f64>(wide + (offset << 1)));
  }
}
