/** @file Reshape, permute, broadcast, slice, pad, concatenate. */
import { concat } from '../ops/movement.js';
import { type ConformanceCase, normal } from './case.js';

export const movementCases: readonly ConformanceCase[] = [
  {
    name: 'permute and reshape',
    inputs: { x: normal([3, 5, 7]) },
    fn: ({ x }) => [x.permute([2, 0, 1]).reshape([7, 15]), x.transpose().reshape([-1, 5]).add(1)],
    tolerance: 1e-7,
  },
  {
    name: 'broadcast',
    inputs: { x: normal([4, 1]), y: normal([]) },
    fn: ({ x, y }) => [x.broadcastTo([3, 4, 5]), y.broadcastTo([2, 3]).mul(2)],
    tolerance: 1e-5,
  },
  {
    name: 'slices',
    inputs: { x: normal([6, 9]) },
    fn: ({ x }) => [
      x.slice(0, 1, 4),
      x.slice(1, 8, 9),
      x.slice(0, 2, 3).slice(1, 3, 7).mul(3),
      x.slice(0, 2, 6).reshape([2, 18]),
    ],
    tolerance: 1e-6,
  },
  {
    name: 'pad',
    inputs: { x: normal([3, 5]) },
    fn: ({ x }) => [x.pad(0, 1, 2), x.pad(1, 3, 0).pad(0, 0, 1).mul(2)],
    tolerance: 1e-6,
  },
  {
    name: 'concatenate',
    inputs: { a: normal([2, 3]), b: normal([2, 5]), c: normal([1, 3]) },
    fn: ({ a, b, c }) => [concat([a, b], 1), concat([a, c, a.mul(2)], 0), concat([a.transpose(), c.transpose()], -1)],
    tolerance: 1e-6,
  },
  {
    name: 'seven axes that merge',
    inputs: { x: normal([2, 1, 3, 1, 2, 2, 3]) },
    fn: ({ x }) => x.permute([2, 1, 0, 3, 4, 5, 6]).add(1),
    tolerance: 1e-6,
  },
];
