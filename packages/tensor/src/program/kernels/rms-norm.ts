/** @file RMSNorm over rows, and its gradient by the input. */
import { type KernelDescriptor, memoryBound, reads, writes } from './descriptor.js';
import type { BufferIndex } from './operand.js';

/** rstd = 1 / sqrt(mean(x^2) + epsilon) per row; output = x * rstd * weight. x, output [rows, columns]; rstd [rows]. */
export interface RmsNormKernel {
  kind: 'rmsNorm';
  rows: number;
  columns: number;
  epsilon: number;
  x: BufferIndex;
  weight: BufferIndex;
  output: BufferIndex;
  rstd: BufferIndex;
}

export const rmsNorm: KernelDescriptor<RmsNormKernel> = {
  family: 'other',
  operands: {
    x: reads('activation'),
    weight: reads('exact'),
    output: writes('activation'),
    rstd: writes('exact'),
  },
  flops: memoryBound,
};

/** dx = rstd * (dy w - x rstd^2 mean(dy w x)). (The weight's gradient is a reduce kernel.) */
export interface RmsNormGradKernel {
  kind: 'rmsNormGrad';
  rows: number;
  columns: number;
  x: BufferIndex;
  weight: BufferIndex;
  rstd: BufferIndex;
  dy: BufferIndex;
  dx: BufferIndex;
}

export const rmsNormGrad: KernelDescriptor<RmsNormGradKernel> = {
  family: 'other',
  operands: {
    x: reads('activation'),
    weight: reads('exact'),
    rstd: reads('exact'),
    dy: reads('activation'),
    dx: writes('activation'),
  },
  flops: memoryBound,
};
