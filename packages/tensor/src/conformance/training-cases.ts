/** @file What only training needs: the optimizer, and random numbers. */
import { adamw } from '../ops/adamw.js';
import { randomNormal, randomUniform } from '../ops/random.js';
import { type CaseInput, type ConformanceCase, ids, normal, uniform, values } from './case.js';

const constants = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 };

function optimizerCase(name: string, gradient: CaseInput, gradientScale: number): ConformanceCase {
  const { shape } = gradient;
  return {
    name,
    inputs: {
      parameter: normal(shape),
      gradient,
      m: normal(shape, 0.1),
      v: uniform(shape, 0.01, 1),
      hyper: values([1e-2, 0.19, 0.0975]),
      gradientScale: values([gradientScale]),
    },
    fn: ({ parameter, gradient, m, v, hyper, gradientScale: scale }) => {
      const next = adamw({ parameter, gradient, m, v, hyper, gradientScale: scale }, constants);
      return [next.parameter, next.m, next.v];
    },
    tolerance: 1e-5,
    skipGradient: true,
  };
}

export const trainingCases: readonly ConformanceCase[] = [
  optimizerCase('adamw of 7x131', normal([7, 131]), 0.5),
  optimizerCase('adamw that skips a gradient that is not finite', values([1, Number.NaN, Number.POSITIVE_INFINITY]), 0),
  {
    name: 'random numbers',
    inputs: { seed: ids([1, -2, 3, 2 ** 31 - 1]) },
    fn: ({ seed }) => [
      randomUniform({ seed, shape: [3, 43], stream: 0 }),
      randomUniform({ seed, shape: [7], stream: 9 }),
      randomNormal({ seed, shape: [5, 31], stream: 2 }),
    ],
    tolerance: 1e-5,
  },
];
