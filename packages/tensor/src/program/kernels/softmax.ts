/** @file Softmax over rows, and its gradient. */
import { type KernelDescriptor, memoryBound, reads, writes } from './descriptor.js';
import type { BufferIndex } from './operand.js';

/** Over the last axis of [rows, columns]: softmax, or its logarithm. */
export interface SoftmaxKernel {
  kind: 'softmax';
  log: boolean;
  rows: number;
  columns: number;
  input: BufferIndex;
  output: BufferIndex;
}

export const softmax: KernelDescriptor<SoftmaxKernel> = {
  family: 'other',
  operands: { input: reads('activation'), output: writes('activation') },
  flops: memoryBound,
};

/** y: the forward output. softmax: dx = y (dy - sum(dy y)); log: dx = dy - exp(y) sum(dy). */
export interface SoftmaxGradKernel {
  kind: 'softmaxGrad';
  log: boolean;
  rows: number;
  columns: number;
  y: BufferIndex;
  dy: BufferIndex;
  dx: BufferIndex;
}

export const softmaxGrad: KernelDescriptor<SoftmaxGradKernel> = {
  family: 'other',
  operands: { y: reads('activation'), dy: reads('activation'), dx: writes('activation') },
  flops: memoryBound,
};
