/** @file Strips of queries: their intervals of keys, and moving rows into and out of their transposed form. */
import { STRIP, STRIP_BYTES } from './attention-tiles';

/**
 * Bytes of a strip's intervals: begin and end of its lanes (i32, clamped to the keys), then the union of the intervals and
 * what is common to them: first key and end.
 */
@inline
export const INTERVALS_BYTES: usize = 3 * STRIP_BYTES;
@inline
const END: usize = STRIP_BYTES;
@inline
const UNION_BEGIN: usize = 2 * STRIP_BYTES;
@inline
const UNION_END: usize = UNION_BEGIN + 4;
@inline
const COMMON_BEGIN: usize = UNION_BEGIN + 8;
@inline
const COMMON_END: usize = UNION_BEGIN + 12;

/** Fills `intervals` for `rows` queries, clamped to keys [low, high); further lanes see nothing. */
export function readIntervals(intervals: usize, begin: usize, end: usize, rows: i32, low: i32, high: i32): void {
  let unionBegin = high;
  let unionEnd = low;
  let commonBegin = low;
  let commonEnd = rows < STRIP ? low : high;
  for (let r = 0; r < STRIP; r++) {
    const at = <usize>r << 2;
    let first = low;
    let last = low;
    if (r < rows) {
      first = max<i32>(low, load<i32>(begin + at));
      last = min<i32>(high, load<i32>(end + at));
    }
    store<i32>(intervals + at, first);
    store<i32>(intervals + at, last, END);
    if (first < last) {
      unionBegin = min<i32>(unionBegin, first);
      unionEnd = max<i32>(unionEnd, last);
    }
    commonBegin = max<i32>(commonBegin, first);
    commonEnd = min<i32>(commonEnd, last);
  }
  store<i32>(intervals, unionBegin, UNION_BEGIN);
  store<i32>(intervals, unionEnd, UNION_END);
  store<i32>(intervals, commonBegin, COMMON_BEGIN);
  store<i32>(intervals, commonEnd, COMMON_END);
}

/** The first key that any lane sees. */
@inline
export function unionBegin(intervals: usize): i32 {
  return load<i32>(intervals, UNION_BEGIN);
}

/** The key after the last one that any lane sees; at most `unionBegin` if no lane sees any. */
@inline
export function unionEnd(intervals: usize): i32 {
  return load<i32>(intervals, UNION_END);
}

/** Whether all lanes see all keys of [first, last). */
@inline
export function allSee(intervals: usize, first: i32, last: i32): bool {
  return load<i32>(intervals, COMMON_BEGIN) <= first && last <= load<i32>(intervals, COMMON_END);
}

/** All ones in those of the first four lanes that see key `key`. */
@inline
export function firstSee(intervals: usize, key: v128): v128 {
  return v128.and(i32x4.ge_s(key, v128.load(intervals)), i32x4.gt_s(v128.load(intervals, END), key));
}

/** The same of the four lanes after them. */
@inline
export function nextSee(intervals: usize, key: v128): v128 {
  return v128.and(i32x4.ge_s(key, v128.load(intervals, 16)), i32x4.gt_s(v128.load(intervals, END + 16), key));
}

/** All ones in those of four lanes that see no key at all. */
@inline
export function seesNothing(intervals: usize, lanes: usize): v128 {
  return i32x4.ge_s(v128.load(intervals + lanes), v128.load(intervals + lanes, END));
}

/** strip[d][lane] = factor x[lane][d]; lanes from `rows` on repeat the last row. Rows of x are `stride` bytes apart. */
export function packStrip(x: usize, stride: usize, rows: i32, headDim: i32, strip: usize, factor: f32): void {
  for (let lane = 0; lane < STRIP; lane += 4) {
    const first = min<i32>(lane, rows - 1);
    packLanes(x + <usize>first * stride, stride, max<i32>(1, rows - lane), headDim, strip + (<usize>lane << 2), factor);
  }
}

function packLanes(x: usize, stride: usize, rows: i32, headDim: i32, strip: usize, factor: f32): void {
  const f = f32x4.splat(factor);
  let x0 = x;
  let x1 = rows > 1 ? x0 + stride : x0;
  let x2 = rows > 2 ? x1 + stride : x1;
  let x3 = rows > 3 ? x2 + stride : x2;
  let d = 0;
  for (; d + 4 <= headDim; d += 4) {
    const r0 = f32x4.mul(v128.load(x0), f);
    const r1 = f32x4.mul(v128.load(x1), f);
    const r2 = f32x4.mul(v128.load(x2), f);
    const r3 = f32x4.mul(v128.load(x3), f);
    const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
    const b = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
    const c = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
    const e = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
    v128.store(strip, v128.shuffle<f32>(a, b, 0, 1, 4, 5));
    v128.store(strip, v128.shuffle<f32>(a, b, 2, 3, 6, 7), STRIP_BYTES);
    v128.store(strip, v128.shuffle<f32>(c, e, 0, 1, 4, 5), 2 * STRIP_BYTES);
    v128.store(strip, v128.shuffle<f32>(c, e, 2, 3, 6, 7), 3 * STRIP_BYTES);
    x0 += 16;
    x1 += 16;
    x2 += 16;
    x3 += 16;
    strip += STRIP_BYTES * 4;
  }
  for (; d < headDim; d++) {
    v128.store(strip, f32x4.mul(f32x4(load<f32>(x0), load<f32>(x1), load<f32>(x2), load<f32>(x3)), f));
    x0 += 4;
    x1 += 4;
    x2 += 4;
    x3 += 4;
    strip += STRIP_BYTES;
  }
}

/** y[lane][d] = strip[d][lane] factors[lane] for the first `rows` lanes. Rows of y are `stride` bytes apart. */
export function unpackStrip(strip: usize, headDim: i32, factors: usize, y: usize, stride: usize, rows: i32): void {
  for (let lane = 0; lane < rows; lane += 4) {
    const at = <usize>lane << 2;
    unpackLanes(strip + at, headDim, v128.load(factors + at), y + <usize>lane * stride, stride, min<i32>(4, rows - lane));
  }
}

function unpackLanes(strip: usize, headDim: i32, factor: v128, y: usize, stride: usize, rows: i32): void {
  let d = 0;
  for (; d + 4 <= headDim; d += 4) {
    const r0 = f32x4.mul(v128.load(strip), factor);
    const r1 = f32x4.mul(v128.load(strip, STRIP_BYTES), factor);
    const r2 = f32x4.mul(v128.load(strip, 2 * STRIP_BYTES), factor);
    const r3 = f32x4.mul(v128.load(strip, 3 * STRIP_BYTES), factor);
    const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
    const b = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
    const c = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
    const e = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
    v128.store(y, v128.shuffle<f32>(a, b, 0, 1, 4, 5));
    if (rows > 1) v128.store(y + stride, v128.shuffle<f32>(a, b, 2, 3, 6, 7));
    if (rows > 2) v128.store(y + stride * 2, v128.shuffle<f32>(c, e, 0, 1, 4, 5));
    if (rows > 3) v128.store(y + stride * 3, v128.shuffle<f32>(c, e, 2, 3, 6, 7));
    y += 16;
    strip += STRIP_BYTES * 4;
  }
  for (; d < headDim; d++) {
    const r = f32x4.mul(v128.load(strip), factor);
    v128.store32_lane(y, r, 0);
    if (rows > 1) v128.store32_lane(y + stride, r, 1);
    if (rows > 2) v128.store32_lane(y + stride * 2, r, 2);
    if (rows > 3) v128.store32_lane(y + stride * 3, r, 3);
    y += 4;
    strip += STRIP_BYTES;
  }
}
