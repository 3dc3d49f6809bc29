/**
 * @file Matrix product by register tiles. A unit is one block of rows x columns of one matrix of the batch over one
 * part of the depth; a tile is a range of units. op(b) is packed in panels of TILE_COLUMNS columns, or read in place where
 * it is row-major and there are few rows; op(a) is packed in panels of 4 rows, or read in place.
 *
 * Arguments: m, n, k, units, units per tile, block rows, block columns, row blocks, column blocks, depth parts, depth
 * of a part, a is packed, a, a batch stride, a row stride, b, b batch stride, b panel stride, b depth stride, output,
 * output batch stride, output part stride (bytes), word of the epilogue (0: none), elements per block of the epilogue.
 */
import { epilogue } from './epilogue';
import { storePart, tileOfAdjacent, tileOfRows, TILE_ROWS } from './register-tile';
import { argAddress, argI32, scratch } from './scratch';
import { TILE_BYTES, TILE_COLUMNS } from './width';

/** Depth handled at a time. A panel of b of this depth may be beyond the L1 cache, which costs less than adding to c more often. */
const DEPTH_BLOCK: i32 = 1024;

/** One register tile, whole or at an edge of the output. */
@inline
function product(
  args: usize, a: usize, rows: i32, columns: i32, b: usize, depth: i32, c: usize, edge: usize, accumulate: bool,
): void {
  const bStep = argAddress(args, 18);
  const whole = rows == TILE_ROWS && columns == TILE_COLUMNS;
  const target = whole ? c : edge;
  const targetStep = whole ? <usize>argI32(args, 1) << 2 : TILE_BYTES;
  const adds = whole && accumulate;
  if (argI32(args, 11)) {
    tileOfAdjacent(a, 16, 0, b, bStep, 1, depth, target, targetStep, adds);
  } else {
    const stride = argAddress(args, 14);
    // Rows past the end repeat the last one; their results are not stored.
    const a1 = rows > 1 ? a + stride : a;
    const a2 = rows > 2 ? a1 + stride : a1;
    const a3 = rows > 3 ? a2 + stride : a2;
    tileOfRows(a, a1, a2, a3, 4, 0, b, bStep, 1, depth, target, targetStep, adds);
  }
  if (!whole) storePart(edge, rows, columns, c, <usize>argI32(args, 1) << 2, accumulate);
}

/** Rows [row, rowEnd) x columns [column, columnEnd) of the output over depth [first, end). */
function block(
  args: usize, a: usize, b: usize, output: usize, row: i32, rowEnd: i32, column: i32, columnEnd: i32,
  first: i32, end: i32, edge: usize,
): void {
  const n = argI32(args, 1);
  const packed = argI32(args, 11) != 0;
  // Bytes from one row of a to the next: whole panels of 4 rows when packed.
  const aRow = packed ? <usize>argI32(args, 2) << 2 : argAddress(args, 14);
  const aStep: usize = packed ? 16 : 4;
  const panelStride = argAddress(args, 17);
  const bStep = argAddress(args, 18);
  for (let k = first; k < end; k += DEPTH_BLOCK) {
    const depth = min(DEPTH_BLOCK, end - k);
    for (let j = column; j < columnEnd; j += TILE_COLUMNS) {
      const panel = b + <usize>(j / TILE_COLUMNS) * panelStride + <usize>k * bStep;
      const columns = min(TILE_COLUMNS, columnEnd - j);
      for (let i = row; i < rowEnd; i += TILE_ROWS) {
        product(
          args, a + <usize>i * aRow + <usize>k * aStep, min(TILE_ROWS, rowEnd - i), columns, panel, depth,
          output + (<usize>i * <usize>n + <usize>j << 2), edge, k != first,
        );
      }
    }
  }
}

export function matmul(args: usize, tile: i32, thread: i32): void {
  const m = argI32(args, 0);
  const n = argI32(args, 1);
  const k = argI32(args, 2);
  const perTile = argI32(args, 4);
  const blockRows = argI32(args, 5);
  const blockColumns = argI32(args, 6);
  const rowBlocks = argI32(args, 7);
  const columnBlocks = argI32(args, 8);
  const parts = argI32(args, 9);
  const partDepth = argI32(args, 10);
  const end = min((tile + 1) * perTile, argI32(args, 3));
  for (let unit = tile * perTile; unit < end; unit++) {
    const row = (unit % rowBlocks) * blockRows;
    let rest = unit / rowBlocks;
    const column = (rest % columnBlocks) * blockColumns;
    rest /= columnBlocks;
    const part = rest % parts;
    const batch = rest / parts;
    const rowEnd = min(row + blockRows, m);
    const columnEnd = min(column + blockColumns, n);
    block(
      args,
      argAddress(args, 12) + <usize>batch * argAddress(args, 13),
      argAddress(args, 15) + <usize>batch * argAddress(args, 16),
      argAddress(args, 19) + <usize>batch * argAddress(args, 20) + <usize>part * argAddress(args, 21),
      row, rowEnd, column, columnEnd, part * partDepth, min((part + 1) * partDepth, k), scratch(thread),
    );
    epilogue(args, argI32(args, 22), argI32(args, 23), batch * m + row, batch * m + rowEnd, column, columnEnd, n, thread);
  }
}
