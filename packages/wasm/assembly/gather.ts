/** @file Rows of a table by index; zeros where the index is out of range. A tile is a block of output rows. */
import { clearRow, copyRow } from './partial';
import { argAddress, argI32 } from './scratch';

export function gather(args: usize, tile: i32, thread: i32): void {
  const rows = argI32(args, 0);
  const tableRows = argI32(args, 1);
  const bytes = <usize>argI32(args, 2) << 2;
  const rowsPerTile = argI32(args, 3);
  const table = argAddress(args, 4);
  const indices = argAddress(args, 5);
  const output = argAddress(args, 6);
  const first = tile * rowsPerTile;
  const last = min<i32>(rows, first + rowsPerTile);
  for (let i = first; i < last; i++) {
    const index = load<i32>(indices + (<usize>i << 2));
    const to = output + <usize>i * bytes;
    if (<u32>index < <u32>tableRows) copyRow(table + <usize>index * bytes, to, bytes);
    else clearRow(to, bytes);
  }
}
