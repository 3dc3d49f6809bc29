/** @file How a matrix product is cut into blocks, parts of the depth and tiles: by shape alone. */

import { WIDE_TILE_COLUMNS } from '../layout.js';

export interface BlockPlan {
  blockRows: number;
  blockColumns: number;
  rowBlocks: number;
  columnBlocks: number;
  /** The depth is cut into this many parts, of `partDepth` each (the last may be shorter). */
  parts: number;
  partDepth: number;
  /** Blocks that one tile computes. */
  unitsPerTile: number;
}

/** Below this, handing out a tile costs more than it gains. */
const LEAST_TILE_FLOPS = 1e6;
/** Tiles wanted of a large product, so that 16 threads are evenly loaded. */
const TILES_WANTED = 64;
/** With fewer blocks than this, a large depth is cut. */
const FEW_BLOCKS = 16;
const LEAST_PART_DEPTH = 256;
/** Rows of packed b that stay in L2 while a block's rows pass. */
const MOST_COLUMNS = 256;
const MOST_ROWS = 128;

function divide(value: number, by: number): number {
  return Math.ceil(value / by);
}

/** @param options.cutDepth whether the depth may be cut into parts; default true */
export function planBlocks(
  product: { batch: number; m: number; n: number; k: number },
  { cutDepth = true } = {},
): BlockPlan {
  const { batch, m, n, k } = product;
  const flops = 2 * batch * m * n * k;
  const tileFlops = Math.max(LEAST_TILE_FLOPS, flops / TILES_WANTED);

  let columnBlocks = divide(n, MOST_COLUMNS);
  let blockColumns = divide(divide(n, columnBlocks), WIDE_TILE_COLUMNS) * WIDE_TILE_COLUMNS;
  const rowsWanted = divide(tileFlops, 2 * blockColumns * k);
  const blockRows = Math.min(divide(m, 4) * 4, MOST_ROWS, Math.max(16, divide(rowsWanted, 4) * 4));
  const rowBlocks = divide(m, blockRows);
  // Few rows (decoding a batch) leave the columns to be shared.
  if (batch * rowBlocks * columnBlocks < FEW_BLOCKS && 2 * blockRows * blockColumns * k > 2 * tileFlops) {
    const wanted = divide(tileFlops, 2 * blockRows * k);
    blockColumns = Math.min(blockColumns, Math.max(32, divide(wanted, 32) * 32));
  }
  columnBlocks = divide(n, blockColumns);

  const blocks = batch * rowBlocks * columnBlocks;
  let parts = 1;
  if (cutDepth && blocks < FEW_BLOCKS && flops > 4 * LEAST_TILE_FLOPS) {
    parts = Math.max(1, Math.min(divide(2 * FEW_BLOCKS, blocks), Math.floor(k / LEAST_PART_DEPTH)));
  }
  const partDepth = parts === 1 ? k : divide(divide(k, parts), 4) * 4;
  parts = divide(k, partDepth);

  const unitFlops = flops / (blocks * parts);
  const units = blocks * parts;
  const unitsPerTile = flops <= LEAST_TILE_FLOPS ? units : Math.max(1, Math.floor(LEAST_TILE_FLOPS / unitFlops));
  return { blockRows, blockColumns, rowBlocks, columnBlocks, parts, partDepth, unitsPerTile };
}
