/**
 * @file What the network predicts, and how to turn one prediction into another.
 *
 * Every target is `targetSignal * x0 + targetNoise * epsilon`, and `x_t = signal * x0 + noise * epsilon`: two linear
 * equations, so any prediction together with x_t gives x0 and epsilon, and those give any other prediction.
 */

import { TransfusionError } from '@transfusion/core';
import { z } from 'zod';
import { checkSameLength, type FloatArray } from './float-array.js';
import type { NoiseLevel } from './noise-schedule.js';

export const parameterisationSchema = z
  .enum(['epsilon', 'sample', 'v', 'flow'])
  .describe(
    'What the network predicts. epsilon: the noise (the paper); sample: the clean image x0; v: signal * epsilon - noise * x0 (arXiv 2202.00512); flow: x0 - epsilon (arXiv 2209.03003).',
  );

export type Parameterisation = z.output<typeof parameterisationSchema>;

/** `[signal, noise, targetSignal, targetNoise]`. */
export type TargetCoefficients = readonly [signal: number, noise: number, targetSignal: number, targetNoise: number];

/**
 * The four numbers that make one training example: the network sees `signal * x0 + noise * epsilon` and its target is
 * `targetSignal * x0 + targetNoise * epsilon`.
 */
export function targetCoefficients(
  parameterisation: Parameterisation,
  { signal, noise }: NoiseLevel,
): TargetCoefficients {
  switch (parameterisation) {
    case 'epsilon':
      return [signal, noise, 0, 1];
    case 'sample':
      return [signal, noise, 1, 0];
    case 'v':
      return [signal, noise, -noise, signal];
    case 'flow':
      return [signal, noise, 1, -1];
  }
}

/**
 * How large an error is in a parameterisation. x_t is known, so an error in x0 comes with one in epsilon, `-signal / noise` times
 * as large: in all four it is the same error, in the ratio of these scales. The determinant of the two equations, positive.
 */
export function errorScale(parameterisation: Parameterisation, level: NoiseLevel): number {
  const [signal, noise, targetSignal, targetNoise] = targetCoefficients(parameterisation, level);
  return Math.abs(signal * targetNoise - noise * targetSignal);
}

/** A linear combination `sample * x_t + prediction * (what the network said)`. */
export interface PredictionCoefficients {
  readonly sample: number;
  readonly prediction: number;
}

/**
 * Coefficients that turn x_t and a prediction in one parameterisation into another one.
 *
 * @throws TransfusionError `SCHEDULER_SINGULAR` where x_t and the prediction do not determine the result: an epsilon
 *   prediction at pure noise, a sample prediction at the clean image.
 */
export function conversionCoefficients(options: {
  from: Parameterisation;
  to: Parameterisation;
  level: NoiseLevel;
}): PredictionCoefficients {
  const { from, to, level } = options;
  if (from === to) return { sample: 0, prediction: 1 };
  const [signal, noise, fromSignal, fromNoise] = targetCoefficients(from, level);
  const [, , toSignal, toNoise] = targetCoefficients(to, level);
  const determinant = signal * fromNoise - noise * fromSignal;
  if (determinant === 0) {
    throw new TransfusionError({
      code: 'SCHEDULER_SINGULAR',
      message: `a ${from} prediction cannot be turned into ${to} where signal is ${signal} and noise is ${noise}: x_t is then a multiple of the prediction`,
      fix: 'predict v or flow, or leave this timestep out',
    });
  }
  return {
    sample: (toSignal * fromNoise - toNoise * fromSignal) / determinant,
    prediction: (toNoise * signal - toSignal * noise) / determinant,
  };
}

/**
 * Turns a prediction into another parameterisation, element by element, in f64.
 *
 * @param options.sample x_t, any shape, flattened
 * @param options.prediction the network's output, as long as `sample`
 * @returns an array of the prediction's type
 */
export function convertPrediction<Values extends FloatArray>(options: {
  from: Parameterisation;
  to: Parameterisation;
  level: NoiseLevel;
  sample: FloatArray;
  prediction: Values;
}): Values {
  const { sample, prediction } = options;
  checkSameLength('sample', sample, 'prediction', prediction);
  const coefficients = conversionCoefficients(options);
  return prediction.map((value, i) => coefficients.sample * sample[i] + coefficients.prediction * value) as Values;
}
