/** @file Matrix products: transposes, batches, edges, epilogues. */
import { type ConformanceCase, normal } from './case.js';

const sizes: [number, number, number][] = [
  [1, 1, 1],
  [3, 5, 7],
  [1, 64, 130],
  [65, 33, 17],
  [16, 16, 16],
  [4, 100, 1],
  [70, 9, 129],
  [33, 261, 19],
];

const plain = sizes.flatMap(([m, n, k]): ConformanceCase[] =>
  [false, true].flatMap((transposeA) =>
    [false, true].map((transposeB) => ({
      name: `matmul ${m}x${n}x${k}${transposeA ? ' A^T' : ''}${transposeB ? ' B^T' : ''}`,
      inputs: { a: normal(transposeA ? [k, m] : [m, k]), b: normal(transposeB ? [n, k] : [k, n]) },
      fn: ({ a, b }) => a.matmul(b, { transposeA, transposeB }),
      tolerance: 5e-5,
    })),
  ),
);

const batched = [false, true].flatMap((transposeA) =>
  [false, true].flatMap((transposeB): ConformanceCase[] => [
    {
      name: `batched matmul${transposeA ? ' A^T' : ''}${transposeB ? ' B^T' : ''}`,
      inputs: {
        a: normal(transposeA ? [2, 3, 9, 5] : [2, 3, 5, 9]),
        b: normal(transposeB ? [2, 3, 6, 9] : [2, 3, 9, 6]),
      },
      fn: ({ a, b }) => a.matmul(b, { transposeA, transposeB }),
      tolerance: 2e-5,
    },
    {
      name: `matmul by a shared matrix${transposeA ? ' A^T' : ''}${transposeB ? ' B^T' : ''}`,
      inputs: { a: normal(transposeA ? [3, 9, 5] : [3, 5, 9]), b: normal(transposeB ? [6, 9] : [9, 6]) },
      fn: ({ a, b }) => a.matmul(b, { transposeA, transposeB }),
      tolerance: 2e-5,
    },
  ]),
);

export const matmulCases: readonly ConformanceCase[] = [
  ...plain,
  ...batched,
  {
    name: 'split inner axis (weight gradient)',
    inputs: { a: normal([900, 12]), b: normal([900, 20]) },
    fn: ({ a, b }) => a.matmul(b, { transposeA: true }),
    tolerance: 1e-4,
    skipGradient: true,
  },
  {
    name: 'matmul with bias, activation and residual',
    inputs: { x: normal([2, 19, 24]), w: normal([24, 37], 0.3), bias: normal([37]), residual: normal([2, 19, 37]) },
    fn: ({ x, w, bias, residual }) => x.matmul(w).add(bias).silu().add(residual),
    tolerance: 2e-5,
  },
  {
    name: 'gated product of two matmuls',
    inputs: { x: normal([33, 20]), w1: normal([20, 41], 0.3), w2: normal([20, 41], 0.3) },
    fn: ({ x, w1, w2 }) => x.matmul(w1).silu().mul(x.matmul(w2)),
    tolerance: 5e-5,
  },
  {
    name: 'batched matmul with a per-row epilogue',
    inputs: { a: normal([3, 7, 5]), b: normal([3, 5, 6]), row: normal([7, 1]) },
    fn: ({ a, b, row }) => a.matmul(b).mul(row).add(1),
    tolerance: 2e-5,
  },
];
