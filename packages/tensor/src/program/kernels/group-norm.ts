/** @file Group norm, and its gradient by the input. */
import { type KernelDescriptor, memoryBound, reads, writes } from './descriptor.js';
import type { BufferIndex } from './operand.js';

/** The sizes of a group norm: `groups` divides `channels`; a group's mean is over all positions of its channels. */
export interface GroupNormShape {
  batch: number;
  positions: number;
  channels: number;
  groups: number;
}

/**
 * x, output [batch, positions, channels]; weight, bias [channels]; mean, rstd [batch, groups], over a group's elements:
 * rstd = 1 / sqrt(mean((x - mean)^2) + epsilon), output = (x - mean) rstd weight + bias.
 * One position and one group is a layer norm of `batch` rows.
 */
export interface GroupNormKernel extends GroupNormShape {
  kind: 'groupNorm';
  epsilon: number;
  x: BufferIndex;
  weight: BufferIndex;
  bias: BufferIndex;
  output: BufferIndex;
  mean: BufferIndex;
  rstd: BufferIndex;
}

export const groupNorm: KernelDescriptor<GroupNormKernel> = {
  family: 'other',
  operands: {
    x: reads('activation'),
    weight: reads('exact'),
    bias: reads('exact'),
    output: writes('activation'),
    mean: writes('exact'),
    rstd: writes('exact'),
  },
  flops: memoryBound,
};

/**
 * With h = (x - mean) rstd and means over a group's elements: dx = rstd (dy w - mean(dy w) - h mean(dy w h)).
 * (The gradients of weight and bias are reduce kernels.)
 */
export interface GroupNormGradKernel extends GroupNormShape {
  kind: 'groupNormGrad';
  x: BufferIndex;
  weight: BufferIndex;
  mean: BufferIndex;
  rstd: BufferIndex;
  dy: BufferIndex;
  dx: BufferIndex;
}

export const groupNormGrad: KernelDescriptor<GroupNormGradKernel> = {
  family: 'other',
  operands: {
    x: reads('activation'),
    weight: reads('exact'),
    mean: reads('exact'),
    rstd: reads('exact'),
    dy: reads('activation'),
    dx: writes('activation'),
  },
  flops: memoryBound,
};
