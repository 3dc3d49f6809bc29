/** @file An expression over every element. */
import { type KernelDescriptor, memoryBound, reads, writes } from './descriptor.js';
import type { Expression } from './expression.js';
import type { View } from './operand.js';

/** output[i] = expression(inputs[i]) for every i in `shape`. */
export interface ElementwiseKernel {
  kind: 'elementwise';
  /** Iteration space: 1 to 6 axes, adjacent axes already merged where every view allows it. */
  shape: number[];
  inputs: View[];
  output: View;
  expression: Expression;
}

export const elementwise: KernelDescriptor<ElementwiseKernel> = {
  family: 'other',
  operands: { inputs: reads('plain'), output: writes('plain') },
  space: ({ shape }) => shape,
  flops: memoryBound,
};
