/** @file Encodes scatter-adds; `assembly/scatter-add.ts` runs them. */
import type { ScatterAddKernel } from '@transfusion/tensor';
import type { Command, EncodeContext } from '../command.js';
import { KernelId } from '../kernel-id.js';

/** Columns first: a tile of columns has the same work whatever the indices are, a tile of rows has not. */
const COLUMNS_PER_TILE = 64;
/** Every tile walks all indices, so there should not be many more tiles than threads. */
const TILES = 8;
/** Work below this runs on one thread. */
const ALONE_NANOSECONDS = 40_000;

export function encodeScatterAdd(kernel: ScatterAddKernel, context: EncodeContext): Command[] {
  const { rows, tableRows, width } = kernel;
  const alone = rows * (1 + width * 0.4) + tableRows * width * 0.1 < ALONE_NANOSECONDS;
  const columnsPerTile = alone ? width : COLUMNS_PER_TILE;
  const columnTiles = Math.ceil(width / columnsPerTile);
  const rowTiles = alone ? 1 : Math.min(tableRows, Math.ceil(TILES / columnTiles));
  const tableRowsPerTile = Math.ceil(tableRows / rowTiles);
  const args = [rows, tableRows, width, columnsPerTile, tableRowsPerTile];
  args.push(context.address(kernel.updates), context.address(kernel.indices), context.address(kernel.output));
  return [{ kernel: KernelId.scatterAdd, tiles: columnTiles * Math.ceil(tableRows / tableRowsPerTile), args }];
}
