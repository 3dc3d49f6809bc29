/** @file Matrix products. */
import { type KernelDescriptor, reads, writes } from './descriptor.js';
import type { BufferIndex, Epilogue, MatrixOperand } from './operand.js';

/**
 * output[b] = epilogue(op(a[b]) @ op(b[b])), op(a) is [m, k], op(b) is [k, n], output [batch, m, n] contiguous.
 * The epilogue's iteration space is [batch, m, n]; absent means the plain product.
 */
export interface MatmulKernel {
  kind: 'matmul';
  batch: number;
  m: number;
  n: number;
  k: number;
  a: MatrixOperand;
  b: MatrixOperand;
  output: BufferIndex;
  epilogue?: Epilogue;
}

export const matmul: KernelDescriptor<MatmulKernel> = {
  family: 'product',
  operands: { a: reads('activation'), b: reads('activation'), epilogue: reads('plain'), output: writes('activation') },
  space: ({ batch, m, n }) => [batch, m, n],
  flops: ({ batch, m, n, k }) => 2 * batch * m * n * k,
  variant({ a, b, m }) {
    const side = ({ transpose }: MatrixOperand) => (transpose ? 'T' : 'N');
    return `${side(a)}${side(b)}${m <= 4 ? ', few rows' : ''}`;
  },
};
