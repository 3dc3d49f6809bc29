/** @file Symbolic inputs and their values, for tests. */
import { apply } from '../graph/node.js';
import { type DType, evaluate, type Tensor } from '../index.js';
import { inputOp } from '../ops/leaf.js';

let index = 0;

/** A tensor without a value. */
export function input(shape: readonly number[], dtype: DType = 'f32'): Tensor {
  return apply(inputOp, [], { type: { shape, dtype }, index, name: `input${index++}` });
}

/** Values in f64, as plain arrays. */
export function valuesOf(
  outputs: readonly Tensor[],
  bindings: readonly [Tensor, readonly number[]][] = [],
): number[][] {
  return evaluate(outputs, new Map(bindings)).map((array) => [...array]);
}
