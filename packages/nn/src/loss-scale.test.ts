import { evaluate, scalar, type Tensor } from '@transfusion/tensor';
import { clipScale, scaledStep } from './index.js';

const value = (x: Tensor) => evaluate([x], new Map())[0][0];

function step(options: { scale: number; goodSteps: number; scaledNorm: number; growthInterval?: number }) {
  const { scale, goodSteps, scaledNorm, growthInterval = 10 } = options;
  const one = (number: number) => scalar(number).reshape([1]);
  const result = scaledStep({
    lossScale: { scale: one(scale), goodSteps: one(goodSteps) },
    scaledNorm: scalar(scaledNorm),
    maxNorm: 1,
    growthInterval,
  });
  return {
    norm: value(result.norm),
    gradientScale: value(result.gradientScale),
    scale: value(result.next.scale),
    goodSteps: value(result.next.goodSteps),
  };
}

test('a good step takes the scale out, clips, and is counted', () => {
  const { gradientScale, ...rest } = step({ scale: 1024, goodSteps: 3, scaledNorm: 4096 });
  expect(rest).toEqual({ norm: 4, scale: 1024, goodSteps: 4 });
  expect(gradientScale).toBeCloseTo(value(clipScale(scalar(4), 1)) / 1024, 12);
});

test.each([Number.POSITIVE_INFINITY, Number.NaN])('a norm of %p halves the scale and skips the step', (scaledNorm) => {
  expect(step({ scale: 1024, goodSteps: 3, scaledNorm })).toMatchObject({ gradientScale: 0, scale: 512, goodSteps: 0 });
});

test('after enough good steps the scale doubles and counting starts again', () => {
  expect(step({ scale: 1024, goodSteps: 9, scaledNorm: 1 })).toMatchObject({ scale: 2048, goodSteps: 0 });
});

test('the scale stays between 1 and 2^24', () => {
  expect(step({ scale: 1, goodSteps: 0, scaledNorm: Number.NaN }).scale).toBe(1);
  expect(step({ scale: 2 ** 24, goodSteps: 9, scaledNorm: 1 }).scale).toBe(2 ** 24);
});
