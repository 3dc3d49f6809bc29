/**
 * @file Gradient of a convolution by its filters: a matrix product whose rows are taps x channels, whose columns are output
 * channels and whose depth is the output pixels. Four channels of a pixel are adjacent, in planes of the padded image or among
 * all channels, so four rows of the product are one vector load. A unit is a range of such quads over one part of the output
 * rows; a tile is a range of units.
 *
 * Arguments: units, units per tile, quads per block, quad blocks, quads of a filter row, all quads, output rows per part,
 * output rows of all images, depth of a filter row, output channels n, image, image bytes, bytes of an image row, bytes
 * from one output column to the next, from one output row to the next, output width, output height, packed output
 * gradient, output rows at a time, target, bytes of a part, bytes of a plane (0: pixels are whole), channels.
 */
import { storePart, tileOfAdjacent, TILE_ROWS } from './register-tile';
import { argAddress, argI32, scratch } from './scratch';
import { TILE_BYTES, TILE_COLUMNS } from './width';

/** Quads [first, end) over `lines` output rows from `line` on, all in one image. */
function block(
  args: usize, first: i32, end: i32, line: i32, lines: i32, target: usize, edge: usize, accumulate: bool,
): void {
  const quadsPerRow = argI32(args, 4);
  const depth = argI32(args, 8);
  const n = argI32(args, 9);
  const step = argAddress(args, 13);
  const width = argI32(args, 15);
  const height = argI32(args, 16);
  const skip = argAddress(args, 14) - <usize>width * step;
  const pixels = <usize>argI32(args, 7) * <usize>width;
  const image = argAddress(args, 10) + <usize>(line / height) * argAddress(args, 11);
  const origin = image + <usize>(line % height) * argAddress(args, 14);
  const cStep = <usize>n << 2;
  const planeBytes = argAddress(args, 21);
  const channels = argI32(args, 22);
  for (let j = 0; j < n; j += TILE_COLUMNS) {
    const panel = argAddress(args, 17) + (<usize>(j / TILE_COLUMNS) * pixels + <usize>line * <usize>width) * TILE_BYTES;
    const columns = min(TILE_COLUMNS, n - j);
    for (let quad = first; quad < end; quad++) {
      const filterRow = quad / quadsPerRow;
      const tap = (quad - filterRow * quadsPerRow) * TILE_ROWS;
      const rows = min(TILE_ROWS, depth - tap);
      const whole = rows == TILE_ROWS && columns == TILE_COLUMNS;
      let a = origin + <usize>filterRow * argAddress(args, 12);
      if (planeBytes) {
        const column = tap / channels;
        a += (<usize>column << 4) + <usize>((tap - column * channels) >> 2) * planeBytes;
      } else {
        a += <usize>tap << 2;
      }
      const c = target + (<usize>(filterRow * depth + tap) * <usize>n + <usize>j << 2);
      tileOfAdjacent(
        a, step, skip, panel, TILE_BYTES, lines, width, whole ? c : edge, whole ? cStep : TILE_BYTES, whole && accumulate,
      );
      if (!whole) storePart(edge, rows, columns, c, cStep, accumulate);
    }
  }
}

export function conv2dWeightGrad(args: usize, tile: i32, thread: i32): void {
  const perTile = argI32(args, 1);
  const perBlock = argI32(args, 2);
  const blocks = argI32(args, 3);
  const linesPerPart = argI32(args, 6);
  const lines = argI32(args, 7);
  const height = argI32(args, 16);
  const atOnce = argI32(args, 18);
  const last = min(argI32(args, 0), (tile + 1) * perTile);
  for (let unit = tile * perTile; unit < last; unit++) {
    const part = unit / blocks;
    const first = (unit - part * blocks) * perBlock;
    const end = min(first + perBlock, argI32(args, 5));
    const target = argAddress(args, 19) + <usize>part * argAddress(args, 20);
    const start = part * linesPerPart;
    const stop = min(start + linesPerPart, lines);
    let line = start;
    while (line < stop) {
      // Not across the end of an image: rows are at equal distances within one only.
      const next = min(min(line + atOnce, stop), (line / height + 1) * height);
      block(args, first, end, line, next - line, target, scratch(thread), line != start);
      line = next;
    }
  }
}
