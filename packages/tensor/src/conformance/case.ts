/** @file What a conformance case is: a function of tensors and the values to try it on. */

import type { Tensor } from '../graph/node.js';
import { sizeOf } from '../graph/shape.js';
import { PhiloxStream } from '../philox.js';
import type { DType } from '../program/program.js';

export interface CaseInput {
  dtype: DType;
  shape: readonly number[];
  values: Float32Array | Int32Array;
  /** Whether the gradient with respect to it is checked (f32 only; default true). */
  differentiable?: boolean;
}

export interface ConformanceCase {
  name: string;
  inputs: Record<string, CaseInput>;
  fn: (inputs: Record<string, Tensor>) => Tensor | Tensor[];
  /** Largest error allowed, relative to 1 + |expected|. */
  tolerance: number;
  /** Set for functions that are not smooth, or whose gradient is checked elsewhere. */
  skipGradient?: boolean;
}

let counter = 0;

/** f32 values, normal with the given scale, different in every call. */
export function normal(shape: readonly number[], scale = 1): CaseInput {
  const stream = new PhiloxStream(7, ++counter);
  return { dtype: 'f32', shape, values: Float32Array.from({ length: sizeOf(shape) }, () => scale * stream.normal()) };
}

/** f32 values uniform in [low, high). */
export function uniform(shape: readonly number[], low: number, high: number): CaseInput {
  const stream = new PhiloxStream(11, ++counter);
  const values = Float32Array.from({ length: sizeOf(shape) }, () => low + (high - low) * stream.uniform());
  return { dtype: 'f32', shape, values };
}

/** i32 values uniform in [low, high). */
export function integers(shape: readonly number[], low: number, high: number): CaseInput {
  const stream = new PhiloxStream(13, ++counter);
  return {
    dtype: 'i32',
    shape,
    values: Int32Array.from({ length: sizeOf(shape) }, () => low + stream.integer(high - low)),
  };
}

/** The given f32 values, not differentiated. */
export function values(data: readonly number[], shape: readonly number[] = [data.length]): CaseInput {
  return { dtype: 'f32', shape, values: Float32Array.from(data), differentiable: false };
}

/** The given i32 values. */
export function ids(data: readonly number[], shape: readonly number[] = [data.length]): CaseInput {
  return { dtype: 'i32', shape, values: Int32Array.from(data) };
}
