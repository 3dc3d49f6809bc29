/** @file Shapes: row-major strides, broadcasting, axes. A shape lists axis lengths, each at least 1; [] is a scalar. */
import { TransfusionError } from '../errors.js';

export type Shape = readonly number[];

export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const length of shape) size *= length;
  return size;
}

/** Rows and columns of a tensor seen as a matrix of its last axis. */
export function matrixOf(shape: Shape): { rows: number; columns: number } {
  const columns = shape.at(-1) ?? 1;
  return { rows: sizeOf(shape) / columns, columns };
}

export function showShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}

/** Elements between neighbours along each axis of a contiguous row-major tensor. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

export function shapeError(message: string, fix?: string): TransfusionError {
  return new TransfusionError({ code: 'TENSOR_SHAPE_MISMATCH', message, fix });
}

/** Throws unless every axis length is a whole number of at least 1. */
export function checkShape(what: string, shape: Shape): void {
  for (const length of shape) {
    if (!Number.isSafeInteger(length) || length < 1) {
      throw shapeError(
        `${what}: shape ${showShape(shape)} has an axis of length ${length}; every length must be a whole number of at least 1`,
      );
    }
  }
}

/** The axis as a number in [0, rank); negative axes count from the end. */
export function normaliseAxis(what: string, axis: number, rank: number): number {
  const normalised = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || normalised < 0 || normalised >= rank) {
    throw shapeError(`${what}: axis ${axis} does not exist in a tensor of rank ${rank}`);
  }
  return normalised;
}

/** NumPy's rule: align at the last axis; lengths must be equal or 1. */
export function broadcastShapes(what: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  const result = new Array<number>(rank);
  for (let i = 1; i <= rank; i++) {
    const left = a[a.length - i] ?? 1;
    const right = b[b.length - i] ?? 1;
    if (left !== right && left !== 1 && right !== 1) {
      throw shapeError(
        `${what}(a, b): a is ${showShape(a)}, b is ${showShape(b)}; axis ${-i} has lengths ${left} and ${right}, which must be equal or 1`,
      );
    }
    result[rank - i] = Math.max(left, right);
  }
  return result;
}
