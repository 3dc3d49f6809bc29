/** @file Strips of eight queries: their intervals of keys, and moving rows into and out of their transposed form. */
import { STRIP_BYTES } from './attention-tiles';

/**
 * Bytes of a strip's intervals: begin and end of its eight lanes (i32, clamped to the keys), then the union of the
 * intervals: first key and end.
 */
export const INTERVALS_BYTES: usize = 128;
const END: usize = 32;
const UNION_BEGIN: usize = 64;
const UNION_END: usize = 68;
const COMMON_BEGIN: usize = 72;
const COMMON_END: usize = 76;

/** Fills `intervals` for `rows` queries, clamped to keys [low, high); further lanes see nothing. */
export function readIntervals(intervals: usize, begin: usize, end: usize, rows: i32, low: i32, high: i32): void {
  let unionBegin = high;
  let unionEnd = low;
  let commonBegin = low;
  let commonEnd = rows < 8 ? low : high;
  for (let r = 0; r < 8; r++) {
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

/** Whether all eight lanes see all keys of [first, last). */
@inline
export function allSee(intervals: usize, first: i32, last: i32): bool {
  return load<i32>(intervals, COMMON_BEGIN) <= first && last <= load<i32>(intervals, COMMON_END);
}

/** All ones in the lanes that see key `key`; `half` is 0 for the first four lanes, 16 for the others. */
@inline
export function sees(intervals: usize, half: usize, key: v128): v128 {
  return v128.and(i32x4.ge_s(key, v128.load(intervals + half)), i32x4.lt_s(key, v128.load(intervals + half, END)));
}

/** All ones in the lanes that see no key at all. */
@inline
export function seesNothing(intervals: usize, half: usize): v128 {
  return i32x4.ge_s(v128.load(intervals + half), v128.load(intervals + half, END));
}

/** strip[d][lane] = factor x[lane][d]; lanes from `rows` on repeat the last row. Rows of x are `stride` bytes apart. */
export function packStrip(x: usize, stride: usize, rows: i32, headDim: i32, strip: usize, factor: f32): void {
  packLanes(x, stride, rows, headDim, strip, factor);
  const rest = max<i32>(1, rows - 4);
  const far = rows > 4 ? x + stride * 4 : x;
  packLanes(far, stride, rest, headDim, strip + 16, factor);
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
    v128.store(strip, v128.shuffle<f32>(a, b, 2, 3, 6, 7), 32);
    v128.store(strip, v128.shuffle<f32>(c, e, 0, 1, 4, 5), 64);
    v128.store(strip, v128.shuffle<f32>(c, e, 2, 3, 6, 7), 96);
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

/** y[lane][d] = strip[d][lane] factor[lane] for the first `rows` lanes. Rows of y are `stride` bytes apart. */
@inline
export function unpackStrip(
  strip: usize, headDim: i32, low: v128, high: v128, y: usize, stride: usize, rows: i32,
): void {
  unpackLanes(strip, headDim, low, y, stride, min<i32>(4, rows));
  if (rows > 4) unpackLanes(strip + 16, headDim, high, y + stride * 4, stride, rows - 4);
}

function unpackLanes(strip: usize, headDim: i32, factor: v128, y: usize, stride: usize, rows: i32): void {
  let d = 0;
  for (; d + 4 <= headDim; d += 4) {
    const r0 = f32x4.mul(v128.load(strip), factor);
    const r1 = f32x4.mul(v128.load(strip, 32), factor);
    const r2 = f32x4.mul(v128.load(strip, 64), factor);
    const r3 = f32x4.mul(v128.load(strip, 96), factor);
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
