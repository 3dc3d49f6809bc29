/** @file Cross-entropy of logits against target classes, and its gradient. */
import { type KernelDescriptor, memoryBound, reads, writes } from './descriptor.js';
import type { BufferIndex } from './operand.js';

/** logits [rows, classes], targets i32 [rows]: loss = lse - logits[target]; 0 where the target is outside [0, classes). lse [rows] is always written. */
export interface CrossEntropyKernel {
  kind: 'crossEntropy';
  rows: number;
  classes: number;
  logits: BufferIndex;
  targets: BufferIndex;
  loss: BufferIndex;
  lse: BufferIndex;
}

export const crossEntropy: KernelDescriptor<CrossEntropyKernel> = {
  family: 'other',
  operands: { logits: reads('exact'), targets: reads('exact'), loss: writes('exact'), lse: writes('exact') },
  flops: memoryBound,
};

/** dLogits = dLoss (exp(logits - lse) - onehot(target)); 0 for ignored rows. dLoss [rows]. */
export interface CrossEntropyGradKernel {
  kind: 'crossEntropyGrad';
  rows: number;
  classes: number;
  logits: BufferIndex;
  targets: BufferIndex;
  lse: BufferIndex;
  dLoss: BufferIndex;
  dLogits: BufferIndex;
}

export const crossEntropyGrad: KernelDescriptor<CrossEntropyGradKernel> = {
  family: 'other',
  operands: {
    logits: reads('exact'),
    targets: reads('exact'),
    lse: reads('exact'),
    dLoss: reads('exact'),
    dLogits: writes('activation'),
  },
  flops: memoryBound,
};
