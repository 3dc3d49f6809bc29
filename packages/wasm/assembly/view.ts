/**
 * @file Reads and writes a run of elements of a strided view, the run being a range of the row-major order of the
 * iteration space. A view is words: base address, rank, then extent and stride (in elements) of each axis, innermost
 * first, with adjacent axes merged by the host wherever the view allows. Rank 0: one element for all.
 *
 * Vector loads may read up to 12 bytes past an element run; the host keeps bytes mapped behind every buffer.
 */

import { storePair } from './simd';

/** Where `loadView` found the elements, and by how many bytes to move from four elements to the next: 16 or 0. */
export let viewStep: usize = 0;

@inline
function extentOf(view: usize, axis: i32): i32 {
  return load<i32>(view + (<usize>axis << 3), 8);
}

@inline
function strideOf(view: usize, axis: i32): i32 {
  return load<i32>(view + (<usize>axis << 3), 12);
}

/** Element offset of position `index` of the axes from `axis` outward. */
function outerOffset(view: usize, rank: i32, axis: i32, index: i32): i32 {
  let offset = 0;
  for (; axis < rank; axis++) {
    const extent = extentOf(view, axis);
    const quotient = index / extent;
    offset += (index - quotient * extent) * strideOf(view, axis);
    index = quotient;
  }
  return offset;
}

/** Copies `count` elements, `stride` apart, to `target`; may write up to 12 bytes past their end. */
@inline
function copyRun(source: usize, stride: i32, target: usize, count: i32): void {
  const end = target + (<usize>count << 2);
  if (stride == 1) {
    for (; target + 32 <= end; target += 32, source += 32) {
      storePair(target, v128.load(source), v128.load(source, 16));
    }
    for (; target < end; target += 16, source += 16) v128.store(target, v128.load(source));
  } else if (stride == 0) {
    const value = v128.load32_splat(source);
    for (; target < end; target += 16) v128.store(target, value);
  } else {
    const step = <usize>stride << 2;
    for (; target < end; target += 4, source += step) store<f32>(target, load<f32>(source));
  }
}

/**
 * Elements [start, start + count) of a view: their address, in place if they are contiguous, else gathered into
 * `slot`, which holds count elements and 16 bytes more. Sets `viewStep`.
 */
export function loadView(view: usize, start: i32, count: i32, slot: usize): usize {
  const base = <usize>load<u32>(view);
  const rank = load<i32>(view, 4);
  viewStep = 0;
  if (rank == 0) {
    v128.store(slot, v128.load32_splat(base));
    return slot;
  }
  const extent = extentOf(view, 0);
  const stride = strideOf(view, 0);
  let outer = 0;
  let inner = start;
  if (rank > 1) {
    outer = start / extent;
    inner = start - outer * extent;
  }
  if (rank == 1 || inner + count <= extent) {
    const source = base + (<usize>(outerOffset(view, rank, 1, outer) + inner * stride) << 2);
    if (stride == 0) {
      v128.store(slot, v128.load32_splat(source));
      return slot;
    }
    viewStep = 16;
    if (stride == 1) return source;
    copyRun(source, stride, slot, count);
    return slot;
  }
  viewStep = 16;
  gather(view, base, rank, outer, inner, count, slot);
  return slot;
}

/** The runs of the innermost axis that `count` elements cover, one after the other; the second axis is stepped, others divided. */
function gather(view: usize, base: usize, rank: i32, outer: i32, inner: i32, count: i32, target: usize): void {
  const extent = extentOf(view, 0);
  const stride = strideOf(view, 0);
  const rows = extentOf(view, 1);
  const rowStride = strideOf(view, 1);
  while (count > 0) {
    const plane = outer / rows;
    let row = outer - plane * rows;
    let source = base + (<usize>(outerOffset(view, rank, 2, plane) + row * rowStride + inner * stride) << 2);
    for (; row < rows && count > 0; row++) {
      const run = min(extent - inner, count);
      copyRun(source, stride, target, run);
      target += <usize>run << 2;
      count -= run;
      outer++;
      source += <usize>(rowStride - inner * stride) << 2;
      inner = 0;
    }
  }
}

/** Whether elements [start, start + count) are contiguous, and then where; else 0. */
export function contiguousRange(view: usize, start: i32, count: i32): usize {
  const base = <usize>load<u32>(view);
  const rank = load<i32>(view, 4);
  if (rank == 0) return count == 1 ? base : 0;
  if (strideOf(view, 0) != 1) return 0;
  if (rank == 1) return base + (<usize>start << 2);
  const extent = extentOf(view, 0);
  const outer = start / extent;
  const inner = start - outer * extent;
  return inner + count <= extent ? base + (<usize>(outerOffset(view, rank, 1, outer) + inner) << 2) : 0;
}

/** Writes `count` elements from `source` to elements [start, start + count) of a view, and nothing else. */
export function storeView(view: usize, start: i32, count: i32, source: usize): void {
  const base = <usize>load<u32>(view);
  const rank = load<i32>(view, 4);
  if (rank == 0) {
    store<f32>(base, load<f32>(source));
    return;
  }
  const extent = extentOf(view, 0);
  const step = <usize>strideOf(view, 0) << 2;
  let outer = rank > 1 ? start / extent : 0;
  let inner = start - outer * extent;
  while (count > 0) {
    const run = rank > 1 ? min(extent - inner, count) : count;
    let target = base + (<usize>outerOffset(view, rank, 1, outer) << 2) + <usize>inner * step;
    if (step == 4) {
      memory.copy(target, source, <usize>run << 2);
      source += <usize>run << 2;
    } else {
      for (let i = 0; i < run; i++, target += step, source += 4) store<f32>(target, load<f32>(source));
    }
    count -= run;
    outer++;
    inner = 0;
  }
}
