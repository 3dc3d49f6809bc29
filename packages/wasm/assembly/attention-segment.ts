/** @file Segments: runs of keys and values small enough to stay in the first-level cache while a block uses them. */
import { copyRow } from './partial';

/** Most keys of a segment. */
export const SEGMENT: i32 = 64;
/** Floats of the keys of a segment: 16 KiB of keys and as much of values. */
const SEGMENT_FLOATS: i32 = 4096;

/** Keys of a segment; at most `SEGMENT`. */
@inline
export function keysPerSegment(headDim: i32): i32 {
  return max<i32>(16, min<i32>(SEGMENT, (SEGMENT_FLOATS / headDim) & ~3));
}

/**
 * Copies `rows` rows of one head side by side: where they lie, `stride` bytes apart, often a power of two, they would
 * compete for few places of the cache.
 */
export function copyRows(x: usize, stride: usize, rows: i32, rowBytes: usize, to: usize): void {
  for (let j = 0; j < rows; j++) copyRow(x + <usize>j * stride, to + <usize>j * rowBytes, rowBytes);
}
