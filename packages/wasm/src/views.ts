/** @file Strided views as the wasm kernels read them: merged axes, innermost first. */
import type { View } from '@transfusion/tensor';

export interface Axis {
  extent: number;
  /** Elements. */
  stride: number;
}

/** The axes of a view over `shape`, innermost first: without axes of one element, neighbours merged where possible. */
export function mergeAxes(shape: number[], strides: number[]): Axis[] {
  const axes: Axis[] = [];
  for (let i = shape.length - 1; i >= 0; i--) {
    const extent = shape[i];
    if (extent === 1) continue;
    const inner = axes.at(-1);
    if (inner && strides[i] === inner.stride * inner.extent) inner.extent *= extent;
    else axes.push({ extent, stride: strides[i] });
  }
  // One axis that repeats a single element is no axis.
  return axes.length === 1 && axes[0].stride === 0 ? [] : axes;
}

/** Whether a view is read in place whatever the range: contiguous in the order of the iteration space. */
export function isContiguous(shape: number[], strides: number[]): boolean {
  const axes = mergeAxes(shape, strides);
  return axes.length === 1 && axes[0].stride === 1;
}

/** The words of a view: base address, rank, then extent and stride of each axis, innermost first. */
export function viewWords(shape: number[], view: View, address: number): number[] {
  const axes = mergeAxes(shape, view.strides);
  return [address + view.offset * 4, axes.length, ...axes.flatMap((axis) => [axis.extent, axis.stride])];
}

/** The row-major strides of a contiguous tensor. */
export function rowMajorStrides(shape: number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1] * shape[i + 1];
  return strides;
}

export function product(extents: number[]): number {
  return extents.reduce((total, extent) => total * extent, 1);
}
