/** @file Products: the kernels that can compute an elementwise expression on every value before they store it. */
import type { GraphNode } from '../graph/node.js';
import { conv2dOp, conv2dShape } from '../ops/conv2d.js';
import { type MatmulAttributes, matmulOp, matmulSizes } from '../ops/matmul.js';
import type { Epilogue, Kernel } from '../program/kernels.js';

export function isProduct({ op }: GraphNode): boolean {
  return op === matmulOp || op === conv2dOp;
}

export interface Product {
  /** The epilogue's iteration space. */
  space: readonly number[];
  /** @param operands the buffers of the node's two inputs */
  kernel(operands: readonly [number, number], output: number, epilogue?: Epilogue): Kernel;
}

export function productOf(node: GraphNode): Product {
  return node.op === matmulOp ? matrixProduct(node) : convolution(node);
}

function matrixProduct({ inputs: [a, b], attributes }: GraphNode): Product {
  const { transposeA, transposeB }: MatmulAttributes = attributes;
  const sizes = matmulSizes(a, b, { transposeA, transposeB });
  const { n, k, sharedB } = sizes;
  // One matrix b for the whole batch: the batch's rows are rows of one product.
  const merges = sharedB && !transposeA;
  const batch = merges ? 1 : sizes.batch;
  const m = merges ? sizes.batch * sizes.m : sizes.m;
  return {
    space: [batch, m, n],
    kernel: ([left, right], output, epilogue) => ({
      kind: 'matmul',
      batch,
      m,
      n,
      k,
      a: { buffer: left, transpose: transposeA, batchStride: merges ? 0 : m * k },
      b: { buffer: right, transpose: transposeB, batchStride: sharedB ? 0 : k * n },
      output,
      ...(epilogue ? { epilogue } : {}),
    }),
  };
}

function convolution({ inputs: [x, weight], attributes }: GraphNode): Product {
  const shape = conv2dShape(x, weight, attributes);
  return {
    space: [1, shape.batch * shape.outputHeight * shape.outputWidth, shape.outputChannels],
    kernel: ([input, filters], output, epilogue) => ({
      kind: 'conv2d',
      ...shape,
      x: input,
      weight: filters,
      output,
      ...(epilogue ? { epilogue } : {}),
    }),
  };
}
