/**
 * @file Packs matrix operands for `matmul`: panels of 4 rows of op(a), or TILE_COLUMNS columns of op(b), laid
 * out [panel][depth][lanes] and padded with zeros, so that the product's inner loop reads memory in order.
 *
 * Arguments: number of operands, then for each: source, source batch stride, target, target batch stride (bytes),
 * stride along the panel, stride along the depth (bytes; one of them is 4), extent along the panel, depth, lanes of a
 * panel, panels, panels per tile, tiles, panels of all batches, target panel stride (bytes). A tile packs a range of panels of one operand.
 */
import { TILE_ROWS } from './register-tile';
import { argAddress, argI32 } from './scratch';
import { storePair } from './simd';
import { TILE_COLUMNS } from './width';

const OPERAND_WORDS: usize = 14;

/** Lanes adjacent in memory: copy `lanes` elements for each step of depth. */
@inline
function packAdjacent(source: usize, depthStride: usize, depth: i32, lanes: i32, valid: i32, target: usize): void {
  const bytes = <usize>lanes << 2;
  if (valid == lanes) {
    for (let k = 0; k < depth; k++, source += depthStride, target += bytes) {
      if (lanes == 4) v128.store(target, v128.load(source));
      if (lanes >= 8) storePair(target, v128.load(source), v128.load(source, 16));
      if (lanes == 16) storePair(target + 32, v128.load(source, 32), v128.load(source, 48));
    }
    return;
  }
  for (let k = 0; k < depth; k++, source += depthStride, target += bytes) {
    for (let lane = 0; lane < lanes; lane++) {
      const offset = <usize>lane << 2;
      store<f32>(target + offset, lane < valid ? load<f32>(source + offset) : 0);
    }
  }
}

/** Panels that are packed side by side, so that a step of depth reads whole cache lines. */
const ADJACENT_PANELS: usize = 4;

/** The same for that many whole panels, `panelBytes` apart. */
@inline
function packAdjacentPanels(
  source: usize, depthStride: usize, depth: i32, lanes: i32, target: usize, panelBytes: usize,
): void {
  const bytes = <usize>lanes << 2;
  for (let k = 0; k < depth; k++, source += depthStride, target += bytes) {
    let from = source;
    let to = target;
    for (let panel: usize = 0; panel < ADJACENT_PANELS; panel++, from += bytes, to += panelBytes) {
      if (lanes == 4) v128.store(to, v128.load(from));
      if (lanes >= 8) storePair(to, v128.load(from), v128.load(from, 16));
      if (lanes == 16) storePair(to + 32, v128.load(from, 32), v128.load(from, 48));
    }
  }
}

/** Steps of depth that are transposed for all lanes before the next ones: what they fill stays in the L1 cache. */
const TRANSPOSED_AT_ONCE: i32 = 64;

/** Depth adjacent in memory: transpose, four lanes at a time. */
@inline
function packTransposed(source: usize, laneStride: usize, depth: i32, lanes: i32, valid: i32, target: usize): void {
  for (let k = 0; k < depth; k += TRANSPOSED_AT_ONCE) {
    const count = min(TRANSPOSED_AT_ONCE, depth - k);
    transposeLanes(source + (<usize>k << 2), laneStride, count, lanes, valid, target + (<usize>(k * lanes) << 2));
  }
}

@inline
function transposeLanes(source: usize, laneStride: usize, depth: i32, lanes: i32, valid: i32, target: usize): void {
  const bytes = <usize>lanes << 2;
  for (let lane = 0; lane < lanes; lane += 4) {
    const column = target + (<usize>lane << 2);
    const s0 = source + <usize>lane * laneStride;
    if (lane + 4 <= valid) transposeFour(s0, laneStride, depth, column, bytes);
    else {
      for (let k = 0; k < depth; k++) {
        for (let i = 0; i < 4; i++) {
          const value: f32 = lane + i < valid ? load<f32>(s0 + <usize>i * laneStride + (<usize>k << 2)) : 0;
          store<f32>(column + <usize>k * bytes + (<usize>i << 2), value);
        }
      }
    }
  }
}

function transposeFour(s0: usize, laneStride: usize, depth: i32, target: usize, step: usize): void {
  let s1 = s0 + laneStride;
  let s2 = s1 + laneStride;
  let s3 = s2 + laneStride;
  let k = 0;
  for (; k + 4 <= depth; k += 4) {
    const r0 = v128.load(s0);
    const r1 = v128.load(s1);
    const r2 = v128.load(s2);
    const r3 = v128.load(s3);
    const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
    const b = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
    const c = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
    const d = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
    v128.store(target, v128.shuffle<f64>(a, b, 0, 2));
    target += step;
    v128.store(target, v128.shuffle<f64>(a, b, 1, 3));
    target += step;
    v128.store(target, v128.shuffle<f64>(c, d, 0, 2));
    target += step;
    v128.store(target, v128.shuffle<f64>(c, d, 1, 3));
    target += step;
    s0 += 16;
    s1 += 16;
    s2 += 16;
    s3 += 16;
  }
  for (; k < depth; k++, target += step, s0 += 4, s1 += 4, s2 += 4, s3 += 4) {
    store<f32>(target, load<f32>(s0));
    store<f32>(target, load<f32>(s1), 4);
    store<f32>(target, load<f32>(s2), 8);
    store<f32>(target, load<f32>(s3), 12);
  }
}

function packPanels(operand: usize, tile: i32): void {
  const panelStride = argAddress(operand, 4);
  const depthStride = argAddress(operand, 5);
  const extent = argI32(operand, 6);
  const depth = argI32(operand, 7);
  const lanes = argI32(operand, 8);
  const panels = argI32(operand, 9);
  const perTile = argI32(operand, 10);
  // Panels are numbered through all batches: the last tile of the operand may end early.
  const total = argI32(operand, 12);
  const end = min((tile + 1) * perTile, total);
  let number = tile * perTile;
  while (number < end) {
    const batch = number / panels;
    const panel = number - batch * panels;
    const first = panel * lanes;
    const source = argAddress(operand, 0) + <usize>batch * argAddress(operand, 1) + <usize>first * panelStride;
    const target =
      argAddress(operand, 2) + <usize>batch * argAddress(operand, 3) + <usize>panel * argAddress(operand, 13);
    const panelBytes = argAddress(operand, 13);
    const several = <i32>ADJACENT_PANELS;
    if (panelStride == 4 && number + several <= end && first + several * lanes <= extent) {
      if (lanes == TILE_ROWS) packAdjacentPanels(source, depthStride, depth, TILE_ROWS, target, panelBytes);
      else packAdjacentPanels(source, depthStride, depth, TILE_COLUMNS, target, panelBytes);
      number += several;
      continue;
    }
    number++;
    const valid = min(lanes, extent - first);
    if (panelStride == 4) {
      if (lanes == TILE_ROWS) packAdjacent(source, depthStride, depth, TILE_ROWS, valid, target);
      else packAdjacent(source, depthStride, depth, TILE_COLUMNS, valid, target);
    } else if (lanes == TILE_ROWS) packTransposed(source, panelStride, depth, TILE_ROWS, valid, target);
    else packTransposed(source, panelStride, depth, TILE_COLUMNS, valid, target);
  }
}

export function matmulPack(args: usize, tile: i32, _thread: i32): void {
  let operand = args + 4;
  const first = argI32(operand, 11);
  if (tile >= first) {
    tile -= first;
    operand += OPERAND_WORDS << 2;
  }
  packPanels(operand, tile);
}
