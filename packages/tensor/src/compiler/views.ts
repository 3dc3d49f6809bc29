/** @file Strided views of buffers: how movement operations become nothing but strides. */
import { type Shape, stridesOf } from '../graph/shape.js';

/** Where the elements of a tensor of some shape lie in a buffer. Units: elements. */
export interface Layout {
  offset: number;
  strides: readonly number[];
}

export function contiguousLayout(shape: Shape): Layout {
  return { offset: 0, strides: stridesOf(shape) };
}

/** Whether the layout is the whole buffer in row-major order. Strides of axes of length 1 do not matter. */
export function isContiguous(shape: Shape, layout: Layout): boolean {
  const expected = stridesOf(shape);
  return layout.offset === 0 && shape.every((length, axis) => length === 1 || layout.strides[axis] === expected[axis]);
}

export function sameLayout(shape: Shape, a: Layout, b: Layout): boolean {
  return a.offset === b.offset && shape.every((length, axis) => length === 1 || a.strides[axis] === b.strides[axis]);
}

/** Strides over `to` that visit the same elements in the same order as `strides` over `from`; undefined if there are none. */
export function reshapeStrides(from: Shape, strides: readonly number[], to: Shape): number[] | undefined {
  const oldShape = from.filter((length) => length !== 1);
  const oldStrides = strides.filter((_, axis) => from[axis] !== 1);
  const result = new Array<number>(to.length).fill(0);
  let oldAxis = 0;
  let newAxis = 0;
  while (newAxis < to.length) {
    if (to[newAxis] === 1) {
      newAxis++;
      continue;
    }
    // The shortest runs of old and new axes with equal numbers of elements.
    const [oldStart, newStart] = [oldAxis, newAxis];
    let oldSize = oldShape[oldAxis++];
    let newSize = to[newAxis++];
    while (oldSize !== newSize) {
      if (oldSize < newSize) oldSize *= oldShape[oldAxis++];
      else newSize *= to[newAxis++];
    }
    for (let axis = oldStart; axis < oldAxis - 1; axis++) {
      if (oldStrides[axis] !== oldStrides[axis + 1] * oldShape[axis + 1]) return undefined;
    }
    let stride = oldStrides[oldAxis - 1];
    for (let axis = newAxis - 1; axis >= newStart; axis--) {
      result[axis] = stride;
      stride *= to[axis];
    }
  }
  return result;
}

/**
 * Drops axes of length 1 and merges neighbouring axes that every view steps through as one. Axes before and after
 * `boundary` are never merged with each other.
 */
export function collapse(
  shape: Shape,
  views: readonly (readonly number[])[],
  boundary = 0,
): { shape: number[]; strides: number[][]; boundary: number } {
  const axes = shape.map((_, axis) => axis).filter((axis) => shape[axis] !== 1);
  const merged: number[] = [];
  const strides: number[][] = views.map(() => []);
  let kept = 0;
  let previous = -1;
  for (const axis of axes) {
    const sameSide = previous >= 0 && previous < boundary === axis < boundary;
    const last = merged.length - 1;
    if (sameSide && views.every((view, v) => strides[v][last] === view[axis] * shape[axis])) {
      merged[last] *= shape[axis];
      views.forEach((view, v) => (strides[v][last] = view[axis]));
    } else {
      merged.push(shape[axis]);
      views.forEach((view, v) => strides[v].push(view[axis]));
      if (axis < boundary) kept++;
    }
    previous = axis;
  }
  return { shape: merged, strides, boundary: kept };
}
