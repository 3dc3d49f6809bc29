/**
 * @file Sums rows of updates into the rows of a table that the indices name. A tile is a block of columns of a range of
 * table rows; it walks all indices in order, so the order of the sum is that of the updates, whoever runs the tile.
 */
import { clearRow } from './partial';
import { argAddress, argI32 } from './scratch';

export function scatterAdd(args: usize, tile: i32, thread: i32): void {
  const rows = argI32(args, 0);
  const tableRows = argI32(args, 1);
  const width = argI32(args, 2);
  const columnsPerTile = argI32(args, 3);
  const tableRowsPerTile = argI32(args, 4);
  const updates = argAddress(args, 5);
  const indices = argAddress(args, 6);
  const output = argAddress(args, 7);
  const columnTiles = (width + columnsPerTile - 1) / columnsPerTile;
  const firstColumn = (tile % columnTiles) * columnsPerTile;
  const bytes = <usize>min<i32>(columnsPerTile, width - firstColumn) << 2;
  const firstRow = (tile / columnTiles) * tableRowsPerTile;
  const rowCount = min<i32>(tableRowsPerTile, tableRows - firstRow);
  const rowBytes = <usize>width << 2;
  const from = updates + (<usize>firstColumn << 2);
  const to = output + <usize>firstRow * rowBytes + (<usize>firstColumn << 2);
  for (let r = 0; r < rowCount; r++) clearRow(to + <usize>r * rowBytes, bytes);
  for (let i = 0; i < rows; i++) {
    const r = load<i32>(indices + (<usize>i << 2)) - firstRow;
    if (<u32>r < <u32>rowCount) addRow(from + <usize>i * rowBytes, to + <usize>r * rowBytes, bytes);
  }
}

@inline
function addRow(from: usize, to: usize, bytes: usize): void {
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) v128.store(to + at, f32x4.add(v128.load(to + at), v128.load(from + at)));
  for (; at < bytes; at += 4) store<f32>(to + at, load<f32>(to + at) + load<f32>(from + at));
}
