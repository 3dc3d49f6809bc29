/** @file Kernels over rows: gather, scatter, softmax, norms, rotary embedding, cross-entropy. */
import { crossEntropy } from '../ops/cross-entropy.js';
import { layerNorm } from '../ops/group-norm.js';
import { rmsNorm } from '../ops/rms-norm.js';
import { rope, ropeTable } from '../ops/rope.js';
import { gather, scatterAdd, writeRows } from '../ops/rows.js';
import { type ConformanceCase, ids, integers, normal } from './case.js';

const widths = [1, 3, 17, 64, 130];

export const rowCases: readonly ConformanceCase[] = [
  ...widths.flatMap((width): ConformanceCase[] => [
    { name: `softmax of ${width}`, inputs: { x: normal([7, width], 3) }, fn: ({ x }) => x.softmax(), tolerance: 1e-5 },
    {
      name: `log-softmax of ${width}`,
      inputs: { x: normal([7, width], 3) },
      fn: ({ x }) => x.logSoftmax(),
      tolerance: 1e-5,
    },
    {
      name: `RMSNorm of ${width}`,
      inputs: { x: normal([2, 5, width]), weight: normal([width]) },
      fn: ({ x, weight }) => rmsNorm(x, weight),
      tolerance: 2e-5,
    },
    {
      name: `layer norm of ${width}`,
      inputs: { x: normal([2, 5, width]), weight: normal([width]), bias: normal([width]) },
      fn: ({ x, weight, bias }) => layerNorm(x.add(2), weight, bias, 1e-3),
      tolerance: 5e-5,
    },
    {
      name: `cross-entropy over ${width} classes`,
      inputs: { logits: normal([9, width], 3), targets: integers([9], -1, width + 1) },
      fn: ({ logits, targets }) => crossEntropy(logits, targets),
      tolerance: 1e-5,
    },
    {
      name: `gather and scatter-add rows of ${width}`,
      inputs: { table: normal([11, width]), indices: integers([3, 7], -2, 13), updates: normal([3, 7, width]) },
      fn: ({ table, indices, updates }) => [gather(table, indices), scatterAdd(updates, indices, 11)],
      tolerance: 1e-5,
    },
  ]),
  {
    name: 'softmax of large scores',
    inputs: { x: normal([5, 33], 200) },
    fn: ({ x }) => [x.softmax(), x.logSoftmax()],
    tolerance: 1e-4,
    skipGradient: true,
  },
  {
    name: 'write rows',
    inputs: { target: normal([6, 2, 3]), indices: ids([4, -1, 0, 6]), values: normal([4, 2, 3]) },
    fn: ({ target, indices, values }) => writeRows(target, indices, values).mul(2),
    tolerance: 1e-6,
  },
  ...[true, false].map(
    (interleaved): ConformanceCase => ({
      name: `rotary embedding, ${interleaved ? 'interleaved' : 'half-split'}`,
      inputs: { x: normal([2, 5, 3, 10]), positions: ids([0, 1, 5, 30, 99, -1, 2, 3, 4, 7], [2, 5]) },
      fn: ({ x, positions }) => rope(x, positions, ropeTable({ positions: 64, headDim: 10 }), { interleaved }),
      tolerance: 1e-5,
    }),
  ),
];
