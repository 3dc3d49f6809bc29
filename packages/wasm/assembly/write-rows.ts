/** @file Overwrites the rows of a table that the indices name. A tile is a block of values' rows. */
import { copyRow } from './partial';
import { argAddress, argI32 } from './scratch';

export function writeRows(args: usize, tile: i32, thread: i32): void {
  const rows = argI32(args, 0);
  const tableRows = argI32(args, 1);
  const bytes = <usize>argI32(args, 2) << 2;
  const rowsPerTile = argI32(args, 3);
  const target = argAddress(args, 4);
  const indices = argAddress(args, 5);
  const values = argAddress(args, 6);
  const first = tile * rowsPerTile;
  const last = min<i32>(rows, first + rowsPerTile);
  for (let i = first; i < last; i++) {
    const index = load<i32>(indices + (<usize>i << 2));
    if (<u32>index < <u32>tableRows) copyRow(values + <usize>i * bytes, target + <usize>index * bytes, bytes);
  }
}
