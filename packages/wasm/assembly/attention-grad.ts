/**
 * @file Gradients of attention. A unit of work is one key/value head of one sequence and a chunk of its keys. It goes
 * through all queries of the heads that read it, in blocks of 32, and through the keys that a block sees, in segments
 * that stay in the first-level cache; recomputes probabilities from the log-sum-exp; and gathers the gradients of its
 * keys and values in the thread's scratch. Where keys are cut into several chunks, each chunk writes its own part of
 * the queries' gradient, and `attentionGradCombine` adds the parts in order. A tile is some units.
 */
import { BLOCK, BLOCK_BYTES, addPanels, packPanels, storeScaled } from './attention-panels';
import { packScalars, scoreGradients } from './attention-scores';
import { SEGMENT, copyRows, keysPerSegment } from './attention-segment';
import { INTERVALS_BYTES, packStrip, readIntervals, unionBegin, unionEnd, unpackStrip } from './attention-strip';
import { STRIP, STRIP_BYTES, addColumns } from './attention-tiles';
import { clearRow } from './partial';
import { argAddress, argF32, argI32, scratch } from './scratch';
import { TILE_BYTES, TILE_COLUMNS } from './width';

@inline
const STRIPS: i32 = BLOCK / STRIP;
/** log-sum-exp and delta of a strip's lanes. */
@inline
const SCALARS_BYTES: usize = 2 * STRIP_BYTES;

/** What the steps of one unit share. It lies at the beginning of the thread's scratch; the rest follows it. */
@unmanaged
class Unit {
  args: usize;
  headDim: i32;
  scale: f32;
  /** Bytes between two queries and between two keys. */
  stride: usize;
  kvStride: usize;
  /** The chunk's keys, and where key 0 of this head lies. */
  low: i32;
  high: i32;
  k: usize;
  v: usize;
  /** Panels of columns, and the bytes of a row of whole panels. */
  panels: i32;
  rowBytes: usize;
  /** Of the block's strips: intervals, log-sum-exp and delta, transposed queries, output gradients, query gradients. */
  intervals: usize;
  scalars: usize;
  query: usize;
  output: usize;
  result: usize;
  /** Of the block: queries and output gradients. */
  queryPanels: usize;
  outputPanels: usize;
  /** Of the segment: keys and values side by side. */
  keyCopy: usize;
  valueCopy: usize;
  /** Of the segment, [key][query of the block]: probabilities and gradients of the scores. */
  weights: usize;
  gradients: usize;
  /** Of the chunk, [key][rowBytes]: the gradients of keys (but for the scale) and values. */
  dk: usize;
  dv: usize;
}

export function attentionGrad(args: usize, tile: i32, thread: i32): void {
  const perTile = argI32(args, 1);
  const last = min<i32>(argI32(args, 0), (tile + 1) * perTile);
  for (let index = tile * perTile; index < last; index++) runUnit(args, index, scratch(thread));
}

function runUnit(args: usize, index: i32, base: usize): void {
  const unit = changetype<Unit>(base);
  const queries = argI32(args, 2);
  const keys = argI32(args, 3);
  const heads = argI32(args, 4);
  const kvHeads = argI32(args, 5);
  const headDim = argI32(args, 6);
  const chunks = argI32(args, 8);
  const keysPerChunk = argI32(args, 9);
  const chunk = index % chunks;
  const kvHead = (index / chunks) % kvHeads;
  const batch = index / (chunks * kvHeads);
  const headBytes = <usize>headDim << 2;
  const kvOffset = (<usize>batch * <usize>keys * <usize>kvHeads + <usize>kvHead) * headBytes;
  unit.args = args;
  unit.headDim = headDim;
  unit.scale = argF32(args, 7);
  unit.stride = <usize>heads * headBytes;
  unit.kvStride = <usize>kvHeads * headBytes;
  unit.low = chunk * keysPerChunk;
  unit.high = min<i32>(keys, unit.low + keysPerChunk);
  unit.k = argAddress(args, 13) + kvOffset;
  unit.v = argAddress(args, 14) + kvOffset;
  divideScratch(unit, base + ((offsetof<Unit>() + 15) & ~15), keysPerChunk);

  const part = argAddress(args, 11) + <usize>chunk * argAddress(args, 10);
  const group = heads / kvHeads;
  for (let head = kvHead * group; head < (kvHead + 1) * group; head++) {
    for (let i = 0; i < queries; i += BLOCK) {
      const row = <usize>batch * <usize>queries + <usize>i;
      runBlock(unit, row, row * <usize>heads + <usize>head, <usize>heads << 2, min<i32>(BLOCK, queries - i), part);
    }
  }
  for (let j = unit.low; j < unit.high; j++) {
    const from = <usize>(j - unit.low) * unit.rowBytes;
    const to = kvOffset + <usize>j * unit.kvStride;
    storeScaled(unit.dk + from, argAddress(args, 20) + to, headDim, unit.scale);
    storeScaled(unit.dv + from, argAddress(args, 21) + to, headDim, 1);
  }
}

/** Sizes must agree with `mostKeysPerChunk` in `src/kernels/attention-grad.ts`. */
@inline
function divideScratch(unit: Unit, free: usize, keysPerChunk: i32): void {
  const stripBytes = <usize>unit.headDim * STRIP_BYTES;
  const panels = (unit.headDim + TILE_COLUMNS - 1) / TILE_COLUMNS;
  const rowBytes = <usize>panels * TILE_BYTES;
  // Keys are worked off four at a time.
  const chunkBytes = <usize>(keysPerChunk + 3) * rowBytes;
  unit.panels = panels;
  unit.rowBytes = rowBytes;
  unit.intervals = free;
  unit.scalars = unit.intervals + <usize>STRIPS * INTERVALS_BYTES;
  unit.query = unit.scalars + <usize>STRIPS * SCALARS_BYTES;
  unit.output = unit.query + <usize>STRIPS * stripBytes;
  unit.result = unit.output + <usize>STRIPS * stripBytes;
  unit.queryPanels = unit.result + <usize>STRIPS * stripBytes;
  unit.outputPanels = unit.queryPanels + <usize>BLOCK * rowBytes;
  unit.keyCopy = unit.outputPanels + <usize>BLOCK * rowBytes;
  unit.valueCopy = unit.keyCopy + <usize>keysPerSegment(unit.headDim) * rowBytes;
  unit.weights = unit.valueCopy + <usize>keysPerSegment(unit.headDim) * rowBytes;
  unit.gradients = unit.weights + <usize>SEGMENT * BLOCK_BYTES;
  unit.dk = unit.gradients + <usize>SEGMENT * BLOCK_BYTES;
  unit.dv = unit.dk + chunkBytes;
  memory.fill(unit.dk, 0, chunkBytes * 2);
}

/** `count` queries from row `row` of [batch, queries] on; `headRow`: the first one's row of [batch, queries, heads]. */
function runBlock(unit: Unit, row: usize, headRow: usize, scalarStride: usize, count: i32, part: usize): void {
  const args = unit.args;
  const headDim = unit.headDim;
  const stripBytes = <usize>headDim * STRIP_BYTES;
  const offset = headRow * (<usize>headDim << 2);
  const q = argAddress(args, 12) + offset;
  const dOutput = argAddress(args, 19) + offset;
  let first = unit.high;
  let last = unit.low;
  for (let s = 0; s < STRIPS; s++) {
    const rows = min<i32>(STRIP, count - s * STRIP);
    const own = unit.intervals + <usize>s * INTERVALS_BYTES;
    const at = (row + <usize>(s * STRIP)) << 2;
    readIntervals(own, argAddress(args, 15) + at, argAddress(args, 16) + at, rows, unit.low, unit.high);
    if (unionBegin(own) >= unionEnd(own)) continue;
    first = min<i32>(first, unionBegin(own));
    last = max<i32>(last, unionEnd(own));
    const from = <usize>(s * STRIP) * unit.stride;
    const scalars = (headRow << 2) + <usize>(s * STRIP) * scalarStride;
    packStrip(q + from, unit.stride, rows, headDim, unit.query + <usize>s * stripBytes, unit.scale);
    packStrip(dOutput + from, unit.stride, rows, headDim, unit.output + <usize>s * stripBytes, 1);
    packScalars(argAddress(args, 17) + scalars, scalarStride, rows, unit.scalars + <usize>s * SCALARS_BYTES);
    packScalars(argAddress(args, 18) + scalars, scalarStride, rows, unit.scalars + <usize>s * SCALARS_BYTES + STRIP_BYTES);
  }
  clearRow(unit.result, <usize>STRIPS * stripBytes);
  if (first < last) {
    packPanels(q, unit.stride, count, headDim, unit.queryPanels);
    packPanels(dOutput, unit.stride, count, headDim, unit.outputPanels);
    const segment = keysPerSegment(headDim);
    for (let key = first; key < last; key += segment) runSegment(unit, key, min<i32>(segment, last - key));
  }
  const factors = unit.scalars;
  for (let at: usize = 0; at < STRIP_BYTES; at += 16) v128.store(factors + at, f32x4.splat(unit.scale));
  for (let s = 0; s * STRIP < count; s++) {
    const to = part + offset + <usize>(s * STRIP) * unit.stride;
    const rows = min<i32>(STRIP, count - s * STRIP);
    unpackStrip(unit.result + <usize>s * stripBytes, headDim, factors, to, unit.stride, rows);
  }
}

/** What the block's queries and keys `first` .. `first + count` - 1 give each other. */
function runSegment(unit: Unit, first: i32, count: i32): void {
  const headDim = unit.headDim;
  const stripBytes = <usize>headDim * STRIP_BYTES;
  const headBytes = <usize>headDim << 2;
  const padded = (count + 3) & ~3;
  copyRows(unit.k + <usize>first * unit.kvStride, unit.kvStride, count, headBytes, unit.keyCopy);
  copyRows(unit.v + <usize>first * unit.kvStride, unit.kvStride, count, headBytes, unit.valueCopy);
  for (let s = 0; s < STRIPS; s++) {
    const own = unit.intervals + <usize>s * INTERVALS_BYTES;
    const weights = unit.weights + <usize>s * STRIP_BYTES;
    const gradients = unit.gradients + <usize>s * STRIP_BYTES;
    const begin = max<i32>(first, unionBegin(own));
    const end = min<i32>(first + count, unionEnd(own));
    if (begin >= end) {
      clearKeys(weights, gradients, 0, padded);
      continue;
    }
    clearKeys(weights, gradients, 0, begin - first);
    clearKeys(weights, gradients, end - first, padded);
    const at = <usize>(begin - first) * BLOCK_BYTES;
    const keyRows = unit.keyCopy + <usize>(begin - first) * headBytes;
    const valueRows = unit.valueCopy + <usize>(begin - first) * headBytes;
    const strip = <usize>s * stripBytes;
    scoreGradients(
      own, keyRows, valueRows, begin, end, headDim, unit.query + strip, unit.output + strip,
      unit.scalars + <usize>s * SCALARS_BYTES, weights + at, gradients + at,
    );
    addColumns(keyRows, headBytes, end - begin, headDim, gradients + at, BLOCK_BYTES, unit.result + strip);
  }
  const to = <usize>(first - unit.low) * unit.rowBytes;
  addPanels(unit.weights, padded, unit.outputPanels, unit.panels, unit.dv + to, unit.rowBytes);
  addPanels(unit.gradients, padded, unit.queryPanels, unit.panels, unit.dk + to, unit.rowBytes);
}

/** Zeroes a strip's probabilities and gradients for keys [first, last) of the segment. */
@inline
function clearKeys(weights: usize, gradients: usize, first: i32, last: i32): void {
  for (let j = first; j < last; j++) {
    const at = <usize>j * BLOCK_BYTES;
    clearRow(weights + at, STRIP_BYTES);
    clearRow(gradients + at, STRIP_BYTES);
  }
}
