/**
 * @file The matrix products of attention, on strips of queries. A strip keeps a query in each of its lanes, as many as a
 * register tile has columns: queries, scores and outputs are stored transposed, as rows of a strip. Keys and values are then
 * read where they are, row by row, and softmax needs no sums across lanes. Every product is a register tile.
 */
import { tileOfAdjacent, tileOfOneRow, tileOfRows } from './register-tile';
import { TILE_BYTES, TILE_COLUMNS } from './width';

/** Queries in a strip, and the bytes of a row of a strip. */
@inline
export const STRIP: i32 = TILE_COLUMNS;
@inline
export const STRIP_BYTES: usize = TILE_BYTES;
/** Bytes of eight lanes: what is not a product goes through a strip's row eight lanes at a time. */
@inline
export const LANES_BYTES: usize = 32;

/**
 * c[j][STRIP] = sum over d of x[j][d] b[d][STRIP], for `rows` rows j. Rows of x are `stride` bytes apart, rows of c
 * `cStride`.
 */
export function multiplyRows(x: usize, stride: usize, rows: i32, depth: i32, b: usize, c: usize, cStride: usize): void {
  let j = 0;
  for (; j + 4 <= rows; j += 4) {
    const x2 = x + (stride << 1);
    tileOfRows(x, x + stride, x2, x2 + stride, 4, 0, b, STRIP_BYTES, 1, depth, c, cStride, false);
    x = x2 + (stride << 1);
    c += cStride << 2;
  }
  for (; j < rows; j++) {
    tileOfOneRow(x, 4, b, STRIP_BYTES, depth, c, false);
    x += stride;
    c += cStride;
  }
}

/**
 * c[d][STRIP] += sum over j of x[j][d] p[j][STRIP], for `columns` columns d and `rows` rows j. Rows of x are `stride` bytes
 * apart, rows of p `pStride`, rows of c follow one another.
 */
export function addColumns(x: usize, stride: usize, rows: i32, columns: i32, p: usize, pStride: usize, c: usize): void {
  let d = 0;
  for (; d + 4 <= columns; d += 4) {
    tileOfAdjacent(x, stride, 0, p, pStride, 1, rows, c, STRIP_BYTES, true);
    x += 16;
    c += STRIP_BYTES << 2;
  }
  for (; d < columns; d++) {
    tileOfOneRow(x, stride, p, pStride, rows, c, true);
    x += 4;
    c += STRIP_BYTES;
  }
}
