/** @file Gradients that stop: what is detached counts as a constant, and costs no kernel. */
import { grad } from '../grad.js';
import { type ConformanceCase, normal } from './case.js';

export const detachCases: readonly ConformanceCase[] = [
  {
    name: 'detached factor',
    inputs: { x: { ...normal([5, 7]), differentiable: false }, w: normal([7, 3]) },
    fn: ({ x, w }) => {
      const product = x.matmul(w).tanh();
      return [product, product.mul(x.sum(1, true).sigmoid().detach())];
    },
    tolerance: 1e-5,
  },
  {
    // Not the gradient of the values, so no finite difference: its own gradient is one of the outputs.
    name: 'straight-through gradient',
    inputs: { x: normal([3, 11]), w: normal([11, 4]) },
    fn: ({ x, w }) => {
      const through = x.add(x.mul(2).floor().sub(x).detach());
      const loss = through.matmul(w).square().sum();
      return [through, ...grad(loss, [x, w])];
    },
    tolerance: 1e-4,
    skipGradient: true,
  },
];
