/** @file A sum or a maximum of an expression. */
import { type KernelDescriptor, memoryBound, reads, writes } from './descriptor.js';
import type { Expression } from './expression.js';
import type { BufferIndex, View } from './operand.js';

/**
 * output[kept] = sum or max over the reduced axes of expression(inputs[kept, reduced]).
 * The first `keptRank` axes of `shape` are kept; output is contiguous over them (one element if keptRank is 0).
 * The order of summation depends on the shape only. Sum in chunks or pairwise: plain f32 running sums drift.
 */
export interface ReduceKernel {
  kind: 'reduce';
  shape: number[];
  keptRank: number;
  inputs: View[];
  expression: Expression;
  op: 'sum' | 'max';
  output: BufferIndex;
}

export const reduce: KernelDescriptor<ReduceKernel> = {
  family: 'other',
  operands: { inputs: reads('plain'), output: writes('exact') },
  space: ({ shape }) => shape,
  flops: memoryBound,
};
