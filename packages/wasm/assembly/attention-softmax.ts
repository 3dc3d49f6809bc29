/** @file The softmax of a strip of queries over one segment of keys after another, eight lanes at a time. */
import { allSee, firstSee, nextSee, seesNothing, unpackStrip } from './attention-strip';
import { LANES_BYTES, STRIP_BYTES } from './attention-tiles';
import { constants } from './constants';
import { expOrZero4, log4 } from './math';
import { storePair } from './simd';

/** Running maximum and sum of a strip's lanes. */
@inline
export const SUMS_BYTES: usize = 2 * STRIP_BYTES;

@inline
export function startSums(sums: usize): void {
  for (let at: usize = 0; at < STRIP_BYTES; at += 16) {
    v128.store(sums + at, f32x4.splat(-Infinity));
    v128.store(sums + at, f32x4.splat(0), STRIP_BYTES);
  }
}

/** Scores of keys [begin, end) that a lane does not see become -inf. */
export function maskScores(intervals: usize, scores: usize, begin: i32, end: i32): void {
  if (allSee(intervals, begin, end)) return;
  const none = f32x4.splat(-Infinity);
  for (let lanes: usize = 0; lanes < STRIP_BYTES; lanes += LANES_BYTES, scores += LANES_BYTES, intervals += LANES_BYTES) {
    let at = scores;
    for (let j = begin; j < end; j++, at += STRIP_BYTES) {
      const key = i32x4.splat(j);
      const s0 = v128.bitselect(v128.load(at), none, firstSee(intervals, key));
      const s1 = v128.bitselect(v128.load(at, 16), none, nextSee(intervals, key));
      storePair(at, s0, s1);
    }
  }
}

/** Scores become exp(score - maximum); the running maximum, sum and result are brought to the same maximum. */
export function softmaxOfSegment(scores: usize, count: i32, sums: usize, result: usize, headDim: i32): void {
  for (let lanes: usize = 0; lanes < STRIP_BYTES; lanes += LANES_BYTES) {
    softmaxOfLanes(scores + lanes, count, sums + lanes, result + lanes, headDim);
  }
}

function softmaxOfLanes(scores: usize, count: i32, sums: usize, result: usize, headDim: i32): void {
  const k = constants;
  const before0 = v128.load(sums);
  const before1 = v128.load(sums, 16);
  let m0 = before0;
  let m1 = before1;
  const end = scores + <usize>count * STRIP_BYTES;
  for (let at = scores; at < end; at += STRIP_BYTES) {
    m0 = f32x4.pmax(m0, v128.load(at));
    m1 = f32x4.pmax(m1, v128.load(at, 16));
  }
  storePair(sums, m0, m1);
  // A lane that has seen nothing yet has the maximum -inf: 0 in its place keeps exp(-inf - maximum) at 0.
  m0 = v128.bitselect(f32x4.splat(0), m0, f32x4.eq(m0, f32x4.splat(-Infinity)));
  m1 = v128.bitselect(f32x4.splat(0), m1, f32x4.eq(m1, f32x4.splat(-Infinity)));
  let s0 = f32x4.splat(0);
  let s1 = s0;
  for (let at = scores; at < end; at += STRIP_BYTES) {
    const p0 = expOrZero4(f32x4.sub(v128.load(at), m0), k);
    const p1 = expOrZero4(f32x4.sub(v128.load(at, 16), m1), k);
    storePair(at, p0, p1);
    s0 = f32x4.add(s0, p0);
    s1 = f32x4.add(s1, p1);
  }
  const factor0 = expOrZero4(f32x4.sub(before0, m0), k);
  const factor1 = expOrZero4(f32x4.sub(before1, m1), k);
  s0 = f32x4.add(f32x4.mul(v128.load(sums, STRIP_BYTES), factor0), s0);
  s1 = f32x4.add(f32x4.mul(v128.load(sums, STRIP_BYTES + 16), factor1), s1);
  storePair(sums + STRIP_BYTES, s0, s1);
  const resultEnd = result + <usize>headDim * STRIP_BYTES;
  for (let at = result; at < resultEnd; at += STRIP_BYTES) {
    storePair(at, f32x4.mul(v128.load(at), factor0), f32x4.mul(v128.load(at, 16), factor1));
  }
}

/** Writes result / sum to the output's rows, and maximum + ln(sum) to lse; zeros for lanes that see nothing. */
export function finishStrip(
  intervals: usize, sums: usize, result: usize, headDim: i32,
  output: usize, stride: usize, rows: i32, lse: usize, lseStride: usize,
): void {
  const factors = sums + STRIP_BYTES;
  const zero = f32x4.splat(0);
  for (let at: usize = 0; at < STRIP_BYTES; at += 16) {
    const sum = v128.load(factors + at);
    const empty = seesNothing(intervals, at);
    v128.store(sums + at, v128.bitselect(zero, f32x4.add(v128.load(sums + at), log4(sum, constants)), empty));
    v128.store(factors + at, v128.bitselect(zero, f32x4.div(f32x4.splat(1), sum), empty));
  }
  unpackStrip(result, headDim, factors, output, stride, rows);
  for (let r = 0; r < rows; r++) {
    store<f32>(lse + <usize>r * lseStride, load<f32>(sums + (<usize>r << 2)));
  }
}
