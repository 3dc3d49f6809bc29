/**
 * @file Convolution of padded images: a matrix product whose rows are output pixels and whose depth is the filter's
 * taps. The taps of one filter row are adjacent in the image, so a row of the product is read in place, in as many
 * segments as the filter has rows. A unit is a block of pixels x output channels, a tile a range of units.
 *
 * Arguments: pixels, output channels n, units, units per tile, block pixels, block channels, pixel blocks, channel blocks,
 * image, image bytes, bytes of an image row, bytes from one output column to the next, from one output row to the next,
 * output width, output height, filter rows, depth of a filter row, packed filters, filter rows at a time, output,
 * unused up to 22: word of the epilogue, elements per block of the epilogue.
 */
import { epilogue } from './epilogue';
import { storePart, tileOfRows, TILE_ROWS } from './register-tile';
import { argAddress, argI32, scratch } from './scratch';
import { TILE_BYTES, TILE_COLUMNS } from './width';

/** Where in a thread's scratch the block's pixel addresses and an edge tile are. */
const EDGE: usize = 1 << 16;

/** Stores the image address of each pixel in [first, end) at `target`; the last one is repeated to fill a tile. */
function pixelAddresses(args: usize, first: i32, end: i32, target: usize): void {
  const width = argI32(args, 13);
  const height = argI32(args, 14);
  const line = first / width;
  let x = first - line * width;
  let y = line % height;
  let image = argAddress(args, 8) + <usize>(line / height) * argAddress(args, 9);
  const filled = first + (end - first + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
  let address: usize = 0;
  for (let pixel = first; pixel < filled; pixel++, target += 4) {
    if (pixel < end) address = image + <usize>y * argAddress(args, 12) + <usize>x * argAddress(args, 11);
    store<u32>(target, <u32>address);
    if (++x < width) continue;
    x = 0;
    if (++y < height) continue;
    y = 0;
    image += argAddress(args, 9);
  }
}

/** Pixels [row, rowEnd), whose addresses are at `pixels`, x channels [column, columnEnd). */
function block(args: usize, row: i32, rowEnd: i32, column: i32, columnEnd: i32, pixels: usize, edge: usize): void {
  const n = argI32(args, 1);
  const rowBytes = argAddress(args, 10);
  const filterRows = argI32(args, 15);
  const depth = argI32(args, 16);
  const rowsAtOnce = argI32(args, 18);
  const skip = rowBytes - (<usize>depth << 2);
  const segmentBytes = <usize>depth * TILE_BYTES;
  const cStep = <usize>n << 2;
  for (let i = 0; i < filterRows; i += rowsAtOnce) {
    const segments = min(rowsAtOnce, filterRows - i);
    const offset = <usize>i * rowBytes;
    for (let j = column; j < columnEnd; j += TILE_COLUMNS) {
      const panel = argAddress(args, 17) + <usize>(j / TILE_COLUMNS * filterRows + i) * segmentBytes;
      const columns = min(TILE_COLUMNS, columnEnd - j);
      for (let r = row; r < rowEnd; r += TILE_ROWS) {
        const rows = min(TILE_ROWS, rowEnd - r);
        const whole = rows == TILE_ROWS && columns == TILE_COLUMNS;
        const c = argAddress(args, 19) + (<usize>r * <usize>n + <usize>j << 2);
        const address = pixels + (<usize>(r - row) << 2);
        tileOfRows(
          <usize>load<u32>(address) + offset, <usize>load<u32>(address, 4) + offset,
          <usize>load<u32>(address, 8) + offset, <usize>load<u32>(address, 12) + offset,
          4, skip, panel, TILE_BYTES, segments, depth, whole ? c : edge, whole ? cStep : TILE_BYTES, whole && i != 0,
        );
        if (!whole) storePart(edge, rows, columns, c, cStep, i != 0);
      }
    }
  }
}

export function conv2d(args: usize, tile: i32, thread: i32): void {
  const m = argI32(args, 0);
  const n = argI32(args, 1);
  const perTile = argI32(args, 3);
  const blockRows = argI32(args, 4);
  const blockColumns = argI32(args, 5);
  const rowBlocks = argI32(args, 6);
  const last = min(argI32(args, 2), (tile + 1) * perTile);
  const pixels = scratch(thread);
  for (let unit = tile * perTile; unit < last; unit++) {
    const row = (unit % rowBlocks) * blockRows;
    const column = (unit / rowBlocks) * blockColumns;
    const rowEnd = min(row + blockRows, m);
    const columnEnd = min(column + blockColumns, n);
    pixelAddresses(args, row, rowEnd, pixels);
    block(args, row, rowEnd, column, columnEnd, pixels, pixels + EDGE);
    epilogue(args, argI32(args, 22), argI32(args, 23), row, rowEnd, column, columnEnd, n, thread);
  }
}
