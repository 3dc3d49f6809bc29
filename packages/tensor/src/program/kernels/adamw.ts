/** @file AdamW in place. */
import { type KernelDescriptor, memoryBound, reads, updates } from './descriptor.js';
import type { BufferIndex } from './operand.js';

/**
 * AdamW with decoupled weight decay, in place on parameter, m and v. With g = gradient * gradientScale[0]:
 * m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
 * parameter = parameter - lr decay parameter - lr (m / bias1) / (sqrt(v / bias2) + epsilon)
 * hyper: f32 [lr, bias1, bias2] with bias_i = 1 - beta_i^step. A gradientScale of 0 leaves all three as they are, even if
 * the gradient is not finite.
 */
export interface AdamWKernel {
  kind: 'adamw';
  elements: number;
  parameter: BufferIndex;
  gradient: BufferIndex;
  m: BufferIndex;
  v: BufferIndex;
  hyper: BufferIndex;
  gradientScale: BufferIndex;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
}

export const adamw: KernelDescriptor<AdamWKernel> = {
  family: 'optimizer',
  operands: {
    parameter: updates('exact'),
    gradient: reads('exact'),
    m: updates('exact'),
    v: updates('exact'),
    hyper: reads('exact'),
    gradientScale: reads('exact'),
  },
  flops: memoryBound,
};
