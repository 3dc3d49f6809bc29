/** @file Rotary position embedding. */
import { type KernelDescriptor, memoryBound, reads, writes } from './descriptor.js';
import type { BufferIndex } from './operand.js';

/**
 * Rotary embedding of x [rows, heads, headDim], by cos and sin [tableRows, headDim / 2] at row positions[row].
 * Pairs are (2i, 2i + 1) if `interleaved` (Llama), else (i, i + headDim / 2) (Hugging Face).
 * (a, b) -> (a cos - b sin, a sin + b cos); `inverse` rotates back (sin negated): that is also the gradient.
 * A position out of range leaves its row unrotated.
 */
export interface RopeKernel {
  kind: 'rope';
  rows: number;
  heads: number;
  headDim: number;
  tableRows: number;
  interleaved: boolean;
  inverse: boolean;
  x: BufferIndex;
  positions: BufferIndex;
  cos: BufferIndex;
  sin: BufferIndex;
  output: BufferIndex;
}

export const rope: KernelDescriptor<RopeKernel> = {
  family: 'other',
  operands: {
    x: reads('activation'),
    positions: reads('exact'),
    cos: reads('exact', rotations),
    sin: reads('exact', rotations),
    output: writes('activation'),
  },
  flops: memoryBound,
};

/** Elements of a table that are used: the rows that positions name, each of them once. */
function rotations({ rows, tableRows, headDim }: RopeKernel): number {
  return (Math.min(rows, tableRows) * headDim) / 2;
}
