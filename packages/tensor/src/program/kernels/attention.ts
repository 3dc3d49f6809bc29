/** @file Fused attention with an interval of keys per query, and its gradient. */
import { type KernelDescriptor, reads, writes } from './descriptor.js';
import type { BufferIndex } from './operand.js';

/** The sizes of an attention. heads is a multiple of kvHeads; query head h reads key/value head floor(h / (heads / kvHeads)). */
export interface AttentionShape {
  batch: number;
  queries: number;
  keys: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  /** Multiplies q . k, usually 1 / sqrt(headDim). */
  scale: number;
}

/**
 * Fused attention with an interval of keys per query. Layouts: q, output [batch, queries, heads, headDim];
 * k, v [batch or, shared, 1, keys, kvHeads, headDim]; begin, end i32 [batch, queries]: query i sees keys begin <= j < end, clamped to
 * [0, keys]. lse [batch, queries, heads] = log sum exp of the scaled scores. An empty interval gives output 0, lse 0.
 */
export interface AttentionKernel extends AttentionShape {
  kind: 'attention';
  /** k and v are [1, keys, kvHeads, headDim], the same for the whole batch. */
  sharedKeys: boolean;
  q: BufferIndex;
  k: BufferIndex;
  v: BufferIndex;
  begin: BufferIndex;
  end: BufferIndex;
  output: BufferIndex;
  lse: BufferIndex;
}

export const attention: KernelDescriptor<AttentionKernel> = {
  family: 'attention',
  operands: {
    q: reads('activation'),
    k: reads('activation'),
    v: reads('activation'),
    begin: reads('exact'),
    end: reads('exact'),
    output: writes('activation'),
    lse: writes('exact'),
  },
  // Scores, and the sum of values.
  flops: (kernel) => 4 * visibleElements(kernel),
};

/** delta [batch, queries, heads] = sum over headDim of dOutput * output. Gradients have the layouts of q, k, v. */
export interface AttentionGradKernel extends AttentionShape {
  kind: 'attentionGrad';
  q: BufferIndex;
  k: BufferIndex;
  v: BufferIndex;
  begin: BufferIndex;
  end: BufferIndex;
  lse: BufferIndex;
  delta: BufferIndex;
  dOutput: BufferIndex;
  dq: BufferIndex;
  dk: BufferIndex;
  dv: BufferIndex;
}

export const attentionGrad: KernelDescriptor<AttentionGradKernel> = {
  family: 'attention',
  operands: {
    q: reads('activation'),
    k: reads('activation'),
    v: reads('activation'),
    begin: reads('exact'),
    end: reads('exact'),
    lse: reads('exact'),
    delta: reads('exact'),
    dOutput: reads('activation'),
    dq: writes('activation'),
    dk: writes('activation'),
    dv: writes('activation'),
  },
  // Scores again, the gradients of scores, and dq, dk, dv.
  flops: (kernel) => 10 * visibleElements(kernel),
};

/** Elements of keys that queries see, if half of the keys are visible (of shared ones, half of an equal part): which are is data. */
function visibleElements(kernel: AttentionShape & { sharedKeys?: boolean }): number {
  const { batch, heads, queries, keys, headDim, sharedKeys = false } = kernel;
  return (((sharedKeys ? 1 : batch) * heads * queries * keys) / 2) * headDim;
}
