/** @file WGSL index arithmetic for strided views. All of it is u32, with shapes and strides as constants. */
import type { View } from '@transfusion/tensor';

export function product(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total * size, 1);
}

/** Strides of a contiguous row-major array. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides: number[] = [];
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

/** Whether the view walks memory in the order of the iteration space (its offset aside). */
export function isContiguous(view: View, shape: readonly number[]): boolean {
  return contiguousStrides(shape).every((stride, axis) => shape[axis] === 1 || view.strides[axis] === stride);
}

/** `offset + Σ coordinate stride`, without the terms that are zero. */
export function viewIndex(view: View, shape: readonly number[], coordinates: readonly string[]): string {
  const terms = view.strides.flatMap((stride, axis) => {
    if (stride === 0 || shape[axis] === 1) return [];
    return stride === 1 ? [coordinates[axis]] : [`${coordinates[axis]} * ${stride}u`];
  });
  if (view.offset > 0 || terms.length === 0) terms.unshift(`${view.offset}u`);
  return terms.join(' + ');
}

/**
 * WGSL statements that split the linear index `linear` over `shape` into coordinates `${prefix}0`, `${prefix}1`, ...;
 * those of axes of size 1 are `0u`.
 */
export function splitIndex(
  linear: string,
  shape: readonly number[],
  prefix: string,
): { statements: string; coordinates: string[] } {
  const strides = contiguousStrides(shape);
  const lines: string[] = [];
  const first = shape.findIndex((size) => size > 1);
  const coordinates = shape.map((size, axis) => {
    if (size === 1) return '0u';
    const quotient = strides[axis] === 1 ? linear : `${linear} / ${strides[axis]}u`;
    lines.push(`  let ${prefix}${axis} = ${axis === first ? quotient : `(${quotient}) % ${size}u`};`);
    return `${prefix}${axis}`;
  });
  return { statements: lines.join('\n'), coordinates };
}
