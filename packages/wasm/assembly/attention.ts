/**
 * @file Attention with an interval of keys per query. A tile is some strips of eight queries: scores of a segment
 * of keys, their softmax, and the weighted sum of the values. Where a strip sees more than one segment, the sums so far
 * are rescaled to the new maximum ("online softmax"; Milakov and Gimelshein 2018,
 * FlashAttention). Keys outside a strip's intervals are never touched.
 */
import {
  INTERVALS_BYTES, allSee, packStrip, readIntervals, sees, seesNothing, unionBegin, unionEnd, unpackStrip,
} from './attention-strip';
import { STRIP, STRIP_BYTES, addColumns, multiplyRows } from './attention-tiles';
import { exp4, log4 } from './math';
import { argAddress, argF32, argI32, scratch } from './scratch';
import { clearRow } from './partial';

/** Keys of a segment: its scores, of one strip, stay in the first-level cache. */
const SEGMENT: i32 = 256;

/** Running maximum and sum of eight lanes. */
const SUMS_BYTES: usize = 64;

export function attention(args: usize, tile: i32, thread: i32): void {
  const perTile = argI32(args, 1);
  const last = min<i32>(argI32(args, 0), (tile + 1) * perTile);
  for (let index = tile * perTile; index < last; index++) strip(args, index, scratch(thread));
}

/** Strips are numbered along the queries of a head, then along heads, then along the batch. */
function strip(args: usize, index: i32, intervals: usize): void {
  const queries = argI32(args, 2);
  const keys = argI32(args, 3);
  const heads = argI32(args, 4);
  const kvHeads = argI32(args, 5);
  const headDim = argI32(args, 6);
  const stripsOfHead = (queries + STRIP - 1) / STRIP;
  const first = (index % stripsOfHead) * STRIP;
  const rows = min<i32>(STRIP, queries - first);
  const head = (index / stripsOfHead) % heads;
  const batch = index / (stripsOfHead * heads);
  const kvHead = head / (heads / kvHeads);
  const headBytes = <usize>headDim << 2;
  const stride = <usize>heads * headBytes;
  const kvStride = <usize>kvHeads * headBytes;
  const kvOffset = <usize>batch * <usize>keys * kvStride + <usize>kvHead * headBytes;
  const row = <usize>batch * <usize>queries + <usize>first;
  const offset = row * stride + <usize>head * headBytes;
  const q = argAddress(args, 8) + offset;
  const k = argAddress(args, 9) + kvOffset;
  const v = argAddress(args, 10) + kvOffset;
  const begin = argAddress(args, 11) + (row << 2);
  const end = argAddress(args, 12) + (row << 2);
  const output = argAddress(args, 13) + offset;
  const lse = argAddress(args, 14) + ((row * <usize>heads + <usize>head) << 2);

  const sums = intervals + INTERVALS_BYTES;
  const scores = sums + SUMS_BYTES;
  const query = scores + <usize>SEGMENT * STRIP_BYTES;
  const result = query + <usize>headDim * STRIP_BYTES;
  readIntervals(intervals, begin, end, rows, 0, keys);
  packStrip(q, stride, rows, headDim, query, argF32(args, 7));
  clearRow(result, <usize>headDim * STRIP_BYTES);
  v128.store(sums, f32x4.splat(-Infinity));
  v128.store(sums, f32x4.splat(-Infinity), 16);
  v128.store(sums, f32x4.splat(0), 32);
  v128.store(sums, f32x4.splat(0), 48);
  const lastKey = unionEnd(intervals);
  for (let key = unionBegin(intervals); key < lastKey; key += SEGMENT) {
    const count = min<i32>(SEGMENT, lastKey - key);
    const from = <usize>key * kvStride;
    multiplyRows(k + from, kvStride, count, headDim, query, scores, STRIP_BYTES);
    mask(intervals, scores, key, count);
    softmaxOfSegment(scores, count, sums, result, headDim);
    addColumns(v + from, kvStride, count, headDim, scores, STRIP_BYTES, result);
  }
  finish(intervals, sums, result, headDim, output, stride, rows, lse, <usize>heads << 2);
}

/** Scores of keys that a lane does not see become -inf. */
@inline
function mask(intervals: usize, scores: usize, first: i32, count: i32): void {
  if (allSee(intervals, first, first + count)) return;
  const none = f32x4.splat(-Infinity);
  for (let j = 0; j < count; j++) {
    const at = scores + <usize>j * STRIP_BYTES;
    const key = i32x4.splat(first + j);
    v128.store(at, v128.bitselect(v128.load(at), none, sees(intervals, 0, key)));
    v128.store(at, v128.bitselect(v128.load(at, 16), none, sees(intervals, 16, key)), 16);
  }
}

/** Scores become exp(score - maximum); the running maximum, sum and result are brought to the same maximum. */
@inline
function softmaxOfSegment(scores: usize, count: i32, sums: usize, result: usize, headDim: i32): void {
  const before0 = v128.load(sums);
  const before1 = v128.load(sums, 16);
  let m0 = before0;
  let m1 = before1;
  const end = scores + <usize>count * STRIP_BYTES;
  for (let at = scores; at < end; at += STRIP_BYTES) {
    m0 = f32x4.pmax(m0, v128.load(at));
    m1 = f32x4.pmax(m1, v128.load(at, 16));
  }
  v128.store(sums, m0);
  v128.store(sums, m1, 16);
  // A lane that has seen nothing yet has the maximum -inf: 0 in its place keeps exp(-inf - maximum) at 0.
  m0 = v128.bitselect(f32x4.splat(0), m0, f32x4.eq(m0, f32x4.splat(-Infinity)));
  m1 = v128.bitselect(f32x4.splat(0), m1, f32x4.eq(m1, f32x4.splat(-Infinity)));
  let s0 = f32x4.splat(0);
  let s1 = s0;
  for (let at = scores; at < end; at += STRIP_BYTES) {
    const p0 = exp4(f32x4.sub(v128.load(at), m0));
    const p1 = exp4(f32x4.sub(v128.load(at, 16), m1));
    v128.store(at, p0);
    v128.store(at, p1, 16);
    s0 = f32x4.add(s0, p0);
    s1 = f32x4.add(s1, p1);
  }
  const factor0 = exp4(f32x4.sub(before0, m0));
  const factor1 = exp4(f32x4.sub(before1, m1));
  v128.store(sums, f32x4.add(f32x4.mul(v128.load(sums, 32), factor0), s0), 32);
  v128.store(sums, f32x4.add(f32x4.mul(v128.load(sums, 48), factor1), s1), 48);
  const resultEnd = result + <usize>headDim * STRIP_BYTES;
  for (let at = result; at < resultEnd; at += STRIP_BYTES) {
    v128.store(at, f32x4.mul(v128.load(at), factor0));
    v128.store(at, f32x4.mul(v128.load(at, 16), factor1), 16);
  }
}

/** Writes result / sum to the output's rows, and maximum + ln(sum) to lse; zeros for lanes that see nothing. */
@inline
function finish(
  intervals: usize, sums: usize, result: usize, headDim: i32,
  output: usize, stride: usize, rows: i32, lse: usize, lseStride: usize,
): void {
  const s0 = v128.load(sums, 32);
  const s1 = v128.load(sums, 48);
  const empty0 = seesNothing(intervals, 0);
  const empty1 = seesNothing(intervals, 16);
  const zero = f32x4.splat(0);
  const one = f32x4.splat(1);
  const factor0 = v128.bitselect(zero, f32x4.div(one, s0), empty0);
  const factor1 = v128.bitselect(zero, f32x4.div(one, s1), empty1);
  unpackStrip(result, headDim, factor0, factor1, output, stride, rows);
  v128.store(sums, v128.bitselect(zero, f32x4.add(v128.load(sums), log4(s0)), empty0));
  v128.store(sums, v128.bitselect(zero, f32x4.add(v128.load(sums, 16), log4(s1)), empty1), 16);
  for (let r = 0; r < rows; r++) {
    store<f32>(lse + <usize>r * lseStride, load<f32>(sums + (<usize>r << 2)));
  }
}
