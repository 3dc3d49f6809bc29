/** @file Arithmetic, comparison, elementary functions, special values, reductions. */
import type { Tensor } from '../graph/node.js';
import { select } from '../tensor.js';
import { type ConformanceCase, ids, normal, uniform, values } from './case.js';

type Unary = (x: Tensor) => Tensor;
const smooth: Record<string, { fn: Unary; low: number; high: number }> = {
  neg: { fn: (x) => x.neg(), low: -3, high: 3 },
  abs: { fn: (x) => x.abs(), low: 0.1, high: 3 },
  exp: { fn: (x) => x.exp(), low: -8, high: 3 },
  log: { fn: (x) => x.log(), low: 0.05, high: 50 },
  sqrt: { fn: (x) => x.sqrt(), low: 0.1, high: 9 },
  rsqrt: { fn: (x) => x.rsqrt(), low: 0.2, high: 9 },
  sin: { fn: (x) => x.sin(), low: -20, high: 20 },
  cos: { fn: (x) => x.cos(), low: -20, high: 20 },
  tanh: { fn: (x) => x.tanh(), low: -5, high: 5 },
  erf: { fn: (x) => x.erf(), low: -3.5, high: 3.5 },
  sigmoid: { fn: (x) => x.sigmoid(), low: -9, high: 9 },
  silu: { fn: (x) => x.silu(), low: -9, high: 9 },
  gelu: { fn: (x) => x.gelu(), low: -4, high: 4 },
  reciprocal: { fn: (x) => x.reciprocal(), low: 0.3, high: 4 },
  square: { fn: (x) => x.square(), low: -3, high: 3 },
};

const inf = Number.POSITIVE_INFINITY;
const special = [0, -0, 1, -1, inf, -inf, Number.NaN, 1e30, -1e30, 1e-30, 0.5, -2.5, 88, -104];

/** Values at which drivers and libraries disagree. */
const specialCases: ConformanceCase[] = Object.entries({
  neg: (x: Tensor) => x.neg(),
  abs: (x: Tensor) => x.abs(),
  exp: (x: Tensor) => x.exp(),
  log: (x: Tensor) => x.log(),
  sqrt: (x: Tensor) => x.sqrt(),
  tanh: (x: Tensor) => x.tanh(),
  erf: (x: Tensor) => x.erf(),
  sigmoid: (x: Tensor) => x.sigmoid(),
  floor: (x: Tensor) => x.floor(),
}).map(([name, fn]) => ({
  name: `special values: ${name}`,
  inputs: { x: values(special) },
  fn: ({ x }) => fn(x),
  tolerance: 1e-5,
}));

export const elementwiseCases: readonly ConformanceCase[] = [
  ...Object.entries(smooth).map(
    ([name, { fn, low, high }]): ConformanceCase => ({
      name,
      inputs: { x: uniform([3, 43], low, high) },
      fn: ({ x }) => fn(x),
      tolerance: 2e-5,
    }),
  ),
  ...specialCases,
  {
    name: 'sin and cos of large angles',
    inputs: { x: uniform([257], -1000, 1000) },
    fn: ({ x }) => [x.sin(), x.cos()],
    tolerance: 2e-4,
    skipGradient: true,
  },
  {
    name: 'arithmetic with broadcasting',
    inputs: { a: normal([5, 1, 7]), b: normal([3, 1]), c: uniform([7], 0.5, 2) },
    fn: ({ a, b, c }) => a.add(b).mul(c).sub(a.mul(2)).div(c.add(1)),
    tolerance: 1e-5,
  },
  {
    name: 'maximum and minimum',
    inputs: { a: normal([65]), b: normal([65]) },
    fn: ({ a, b }) => [a.maximum(b), a.minimum(b.mul(2))],
    tolerance: 1e-6,
  },
  {
    name: 'pow',
    inputs: { a: uniform([33], 0.2, 3), b: uniform([33], -2, 3) },
    fn: ({ a, b }) => a.pow(b),
    tolerance: 1e-4,
  },
  {
    name: 'pow of negative bases',
    inputs: {
      a: values([-2, -2, -2, -0.5, -3, 0, 0, -1, -1.5]),
      b: values([2, 3, 0.5, -3, 0, 0, 2, 7, -2]),
    },
    fn: ({ a, b }) => a.pow(b),
    tolerance: 1e-5,
  },
  {
    name: 'comparisons and select',
    inputs: { a: values([1, 2, 3, Number.NaN, -0, inf]), b: values([2, 2, 1, 1, 0, inf]) },
    fn: ({ a, b }) => [
      a.less(b),
      a.lessEqual(b),
      a.greater(b),
      a.greaterEqual(b),
      a.equal(b),
      a.notEqual(b),
      select(a.less(b), a, b.mul(10)),
    ],
    tolerance: 0,
  },
  {
    name: 'select gradients',
    inputs: {
      a: normal([4, 9]),
      b: normal([4, 9]),
      condition: values(
        Array.from({ length: 36 }, (_, i) => i % 3),
        [4, 9],
      ),
    },
    fn: ({ a, b, condition }) => select(condition, a.mul(3), b.exp()),
    tolerance: 1e-5,
  },
  {
    name: 'integers to floats and back',
    inputs: { i: ids([-5, 0, 7, 1_000_003]), x: values([-2.7, 2.7, 0.1, 1e6]) },
    fn: ({ i, x }) => [i.toFloat().mul(2), x.toInt().toFloat().add(i.toFloat()), x.toInt()],
    tolerance: 0,
  },
  {
    name: 'integers are moved bit by bit',
    inputs: { i: ids([2_000_000_011, -2_000_000_011, 16_777_217, -1, 0, 5], [2, 3]) },
    fn: ({ i }) => [i.transpose(), i.slice(1, 1, 3)],
    tolerance: 0,
  },
  {
    name: 'a long chain with shared parts',
    inputs: { x: normal([17, 63]), y: normal([63]) },
    fn: ({ x, y }) => {
      const s = x.mul(y).add(1);
      const t = s.sigmoid().mul(s);
      return t.add(s.square().mul(0.1)).sub(y.tanh()).mul(t);
    },
    tolerance: 2e-5,
  },
  {
    name: 'more operands than a kernel may read',
    inputs: Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`x${i}`, normal([130])])),
    fn: (inputs) => Object.values(inputs).reduce((sum, x) => sum.mul(0.9).add(x)),
    tolerance: 1e-5,
  },
  {
    name: 'sums over each choice of axes',
    inputs: { x: normal([5, 17, 9]) },
    fn: ({ x }) => [
      x.sum(),
      x.sum(0),
      x.sum(1),
      x.sum(2),
      x.sum([0, 1]),
      x.sum([0, 2]),
      x.sum([1, 2], true),
      x.mean(-1),
    ],
    tolerance: 1e-5,
  },
  {
    name: 'maxima over each choice of axes',
    inputs: { x: normal([5, 17, 9]) },
    fn: ({ x }) => [x.max(), x.max(0), x.max(1), x.max(2), x.max([0, 2])],
    tolerance: 1e-6,
  },
  {
    name: 'sum of many elements',
    inputs: { x: uniform([70_001], 0, 1) },
    fn: ({ x }) => [x.sum(), x.square().sum(), x.max()],
    tolerance: 1e-6,
    skipGradient: true,
  },
  {
    name: 'column sums of a tall matrix',
    inputs: { x: normal([1027, 33]) },
    fn: ({ x }) => [x.sum(0), x.mul(2).add(1).sum(0)],
    tolerance: 1e-5,
    skipGradient: true,
  },
  {
    name: 'reduce over a permuted view',
    inputs: { x: normal([4, 6, 5]), y: normal([5, 4]) },
    fn: ({ x, y }) =>
      x
        .permute([2, 0, 1])
        .mul(y.reshape([5, 4, 1]))
        .sum([1]),
    tolerance: 1e-5,
  },
];
