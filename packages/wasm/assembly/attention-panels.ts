/**
 * @file Panels: rows of queries (or of output gradients) cut into columns of register tiles, zero beyond the rows and
 * columns there are; and what they are multiplied with, the gradients of keys and values.
 */
import { clearRow } from './partial';
import { tileOfRows } from './register-tile';
import { storePair } from './simd';
import { TILE_BYTES, TILE_COLUMNS, WIDE } from './width';

/** Queries of a block, and the bytes of a row (one key) of its probabilities. */
export const BLOCK: i32 = 32;
export const BLOCK_BYTES: usize = 128;

/** Bytes of one panel. */
@inline
const PANEL_BYTES: usize = <usize>BLOCK * TILE_BYTES;

/** panels[p][i] = TILE_COLUMNS columns of row i. Rows of x are `stride` bytes apart. */
export function packPanels(x: usize, stride: usize, rows: i32, headDim: i32, panels: usize): void {
  for (let column = 0; column < headDim; column += TILE_COLUMNS) {
    const whole = column + TILE_COLUMNS <= headDim;
    for (let i = 0; i < BLOCK; i++) {
      const from = x + <usize>i * stride + (<usize>column << 2);
      if (i < rows && whole) {
        storePair(panels, v128.load(from), v128.load(from, 16));
        if (WIDE) storePair(panels + 32, v128.load(from, 32), v128.load(from, 48));
      } else {
        clearRow(panels, TILE_BYTES);
        if (i < rows) {
          const bytes = <usize>(headDim - column) << 2;
          for (let at: usize = 0; at < bytes; at += 4) store<f32>(panels + at, load<f32>(from + at));
        }
      }
      panels += TILE_BYTES;
    }
  }
}

/** c[j] += sum over the block's queries i of p[j][i] x[i], for `rows` (a multiple of 4) keys j; x in panels. */
export function addPanels(p: usize, rows: i32, panels: usize, count: i32, c: usize, rowBytes: usize): void {
  for (let j = 0; j < rows; j += 4) {
    for (let panel = 0; panel < count; panel++) {
      tileOfRows(
        p, p + BLOCK_BYTES, p + 2 * BLOCK_BYTES, p + 3 * BLOCK_BYTES, 4, 0,
        panels + <usize>panel * PANEL_BYTES, TILE_BYTES, 1, BLOCK, c + <usize>panel * TILE_BYTES, rowBytes, true,
      );
    }
    p += BLOCK_BYTES * 4;
    c += rowBytes * 4;
  }
}

/** y = factor x, `count` floats. */
@inline
export function storeScaled(x: usize, y: usize, count: i32, factor: f32): void {
  const f = f32x4.splat(factor);
  let d = 0;
  for (; d + 8 <= count; d += 8) {
    storePair(y, f32x4.mul(v128.load(x), f), f32x4.mul(v128.load(x, 16), f));
    x += 32;
    y += 32;
  }
  if (d + 4 <= count) {
    v128.store(y, f32x4.mul(v128.load(x), f));
    d += 4;
    x += 16;
    y += 16;
  }
  for (; d < count; d++) {
    store<f32>(y, load<f32>(x) * factor);
    x += 4;
    y += 4;
  }
}
