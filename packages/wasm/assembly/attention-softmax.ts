/** @file The softmax of a strip of eight queries over one segment of keys after another. */
import { allSee, sees, seesNothing, unpackStrip } from './attention-strip';
import { STRIP_BYTES } from './attention-tiles';
import { expOrZero4, log4 } from './math';

/** Running maximum and sum of a strip's lanes. */
export const SUMS_BYTES: usize = 64;

@inline
export function startSums(sums: usize): void {
  v128.store(sums, f32x4.splat(-Infinity));
  v128.store(sums, f32x4.splat(-Infinity), 16);
  v128.store(sums, f32x4.splat(0), 32);
  v128.store(sums, f32x4.splat(0), 48);
}

/** Scores of keys [begin, end) that a lane does not see become -inf. */
export function maskScores(intervals: usize, scores: usize, begin: i32, end: i32): void {
  if (allSee(intervals, begin, end)) return;
  const none = f32x4.splat(-Infinity);
  for (let j = begin; j < end; j++) {
    const key = i32x4.splat(j);
    v128.store(scores, v128.bitselect(v128.load(scores), none, sees(intervals, 0, key)));
    v128.store(scores, v128.bitselect(v128.load(scores, 16), none, sees(intervals, 16, key)), 16);
    scores += STRIP_BYTES;
  }
}

/** Scores become exp(score - maximum); the running maximum, sum and result are brought to the same maximum. */
export function softmaxOfSegment(scores: usize, count: i32, sums: usize, result: usize, headDim: i32): void {
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
    const p0 = expOrZero4(f32x4.sub(v128.load(at), m0));
    const p1 = expOrZero4(f32x4.sub(v128.load(at, 16), m1));
    v128.store(at, p0);
    v128.store(at, p1, 16);
    s0 = f32x4.add(s0, p0);
    s1 = f32x4.add(s1, p1);
  }
  const factor0 = expOrZero4(f32x4.sub(before0, m0));
  const factor1 = expOrZero4(f32x4.sub(before1, m1));
  v128.store(sums, f32x4.add(f32x4.mul(v128.load(sums, 32), factor0), s0), 32);
  v128.store(sums, f32x4.add(f32x4.mul(v128.load(sums, 48), factor1), s1), 48);
  const resultEnd = result + <usize>headDim * STRIP_BYTES;
  for (let at = result; at < resultEnd; at += STRIP_BYTES) {
    v128.store(at, f32x4.mul(v128.load(at), factor0));
    v128.store(at, f32x4.mul(v128.load(at, 16), factor1), 16);
  }
}

/** Writes result / sum to the output's rows, and maximum + ln(sum) to lse; zeros for lanes that see nothing. */
export function finishStrip(
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
