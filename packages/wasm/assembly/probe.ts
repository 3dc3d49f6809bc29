/**
 * @file What the host tries of a module before it decides for it: every register tile, and the loops around exp, on 16
 * columns whatever the module's width, so that modules can be compared in time and in every bit.
 */
import { Opcode } from '../src/opcode';
import { tileOfAdjacent, tileOfOneRow, tileOfRows } from './register-tile';
import { rowSumExp } from './row-sums';
import { unary } from './unary';
import { TILE_COLUMNS } from './width';

/** Columns of b and c; a c of 4 rows takes 256 bytes. */
const ROW_BYTES: usize = 64;
const RESULT_BYTES: usize = 4 * ROW_BYTES;

/** So that the time is that of the first product. */
const MAIN_REPEATS: i32 = 8;

/**
 * From a [4, depth] and b [depth, 16], `repeats` times: products at `c`, in three ways and added to themselves, then
 * exponentials of the first one and their sum. 5 x 4 x 16 floats and 1 are written.
 */
export function probe(a: usize, b: usize, c: usize, depth: i32, repeats: i32): void {
  const stride = <usize>depth << 2;
  for (; repeats > 0; repeats--) {
    for (let column = 0; column < 16; column += TILE_COLUMNS) {
      const at = <usize>column << 2;
      const panel = b + at;
      let to = c + at;
      for (let i = MAIN_REPEATS; i > 0; i--) {
        tileOfRows(a, a + stride, a + 2 * stride, a + 3 * stride, 4, 0, panel, ROW_BYTES, 1, depth, to, ROW_BYTES, false);
      }
      to += RESULT_BYTES;
      tileOfAdjacent(a, 16, 0, panel, ROW_BYTES, 1, depth, to, ROW_BYTES, false);
      tileOfRows(a, a, a, a, 8, 4, panel, ROW_BYTES, 2, depth >> 2, to, ROW_BYTES, true);
      to += RESULT_BYTES;
      for (let row: usize = 0; row < 4; row++) {
        tileOfOneRow(a + row * stride, 4, panel, ROW_BYTES, depth >> 4, to + row * ROW_BYTES, false);
      }
    }
    unary(Opcode.exp, c, c + 3 * RESULT_BYTES, 16);
    store<f32>(c + 4 * RESULT_BYTES, rowSumExp(c, 64, load<f32>(c)));
  }
}
