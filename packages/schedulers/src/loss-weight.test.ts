import { type LossWeighting, lossWeight, weightingProblems } from './loss-weight.js';
import { minSnrWeight } from './min-snr.js';
import { addNoise, signalToNoiseRatio } from './noise-schedule.js';
import { createObjective } from './objective.js';
import {
  conversionCoefficients,
  convertPrediction,
  type Parameterisation,
  targetCoefficients,
} from './parameterisation.js';

const predictions: readonly Parameterisation[] = ['epsilon', 'sample', 'v', 'flow'];
const schedules = ['cosine', 'flow'] as const;
const pairs = schedules.flatMap((type) => predictions.flatMap((from) => predictions.map((to) => ({ type, from, to }))));
/** Samplers need x0 at pure noise, so that epsilon is not predicted on the flow schedule. */
const allowed = pairs.filter(({ type, from }) => type === 'cosine' || from !== 'epsilon');

const objectiveOn = (type: 'cosine' | 'flow', parameterisation: Parameterisation) =>
  createObjective({ parameterisation, noiseSchedule: { type } });
const weightAt = (timestep: number, objective: ReturnType<typeof objectiveOn>, weighting: LossWeighting) =>
  lossWeight({ objective, weighting, timestep });
const meanSquare = (a: Float64Array, b: Float64Array) =>
  a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0) / a.length;

test('by default every image weighs 1', () => {
  for (const { type, from } of pairs) {
    for (const timestep of [0, 321, 999]) expect(weightAt(timestep, objectiveOn(type, from), {})).toBe(1);
    expect(weightAt(999, objectiveOn(type, from), { lossSpace: from, minDivisor: 0.5 })).toBe(1);
  }
});

test.each(pairs)(
  '$type: the loss of $from in the space of $to is that of converted predictions',
  ({ type, from, to }) => {
    const objective = objectiveOn(type, from);
    const x0 = Float64Array.of(0.3, -0.9, 1.4, 0.05);
    const noise = Float64Array.of(-1.1, 0.2, 0.7, 2.2);
    const error = Float64Array.of(0.4, -0.03, 0.2, -0.6);
    for (const timestep of [0, 1, 37, 250, 499, 750, 950, 998, ...(type === 'cosine' ? [999] : [])]) {
      const level = objective.noiseSchedule.level(timestep);
      const sample = addNoise({ noiseSchedule: objective.noiseSchedule, sample: x0, noise, timestep });
      const [, , a, b] = targetCoefficients(from, level);
      const target = x0.map((value, i) => a * value + b * noise[i]);
      const prediction = target.map((value, i) => value + error[i]);
      const inSpace = (values: Float64Array) => convertPrediction({ from, to, level, sample, prediction: values });
      const explicit = meanSquare(inSpace(prediction), inSpace(target));
      const weighted = weightAt(timestep, objective, { lossSpace: to, minDivisor: 0 }) * meanSquare(prediction, target);
      // At the last timestep of the cosine schedule the conversion itself loses digits.
      expect(Math.abs(weighted / explicit - 1)).toBeLessThan(timestep === 999 ? 1e-7 : 1e-10);
      // The target in the space is the space's own.
      const [, , toSignal, toNoise] = targetCoefficients(to, level);
      inSpace(target).forEach((value, i) => {
        expect(Math.abs(value - (toSignal * x0[i] + toNoise * noise[i]))).toBeLessThan(
          1e-10 / Math.min(level.signal, level.noise),
        );
      });
    }
  },
);

test('sample to flow on the flow schedule is JiT: 1 / max(noise, 0.05)^2', () => {
  const objective = objectiveOn('flow', 'sample');
  for (let timestep = 0; timestep < 1000; timestep++) {
    const jit = 1 / Math.max((timestep + 1) / 1000, 0.05) ** 2;
    expect(weightAt(timestep, objective, { lossSpace: 'flow' }) / jit).toBeCloseTo(1, 12);
  }
  expect(weightAt(0, objective, { lossSpace: 'flow', minDivisor: 0.1 })).toBeCloseTo(100, 10);
});

test('the floor is of the level that is divided by, and of nothing else', () => {
  const last = objectiveOn('cosine', 'epsilon');
  const { signal, noise } = last.noiseSchedule.level(999);
  expect(signal).toBeLessThan(1e-4);
  expect(weightAt(999, last, { lossSpace: 'sample' })).toBeCloseTo((noise / 0.05) ** 2, 9);
  expect(weightAt(999, last, { lossSpace: 'v' })).toBeCloseTo((1 / 0.05) ** 2, 9);
  for (const predicted of ['v', 'flow'] as const) {
    for (const { type, to } of pairs) {
      const objective = objectiveOn(type, predicted);
      for (const timestep of [0, 499, 999]) {
        const with0 = weightAt(timestep, objective, { lossSpace: to, minDivisor: 0 });
        expect(weightAt(timestep, objective, { lossSpace: to, minDivisor: 0.5 })).toBe(with0);
      }
    }
  }
  // Where the floor is not reached, the weight is the square of the conversion's coefficient.
  for (const { type, from, to } of pairs) {
    const objective = objectiveOn(type, from);
    const level = objective.noiseSchedule.level(499);
    const { prediction } = conversionCoefficients({ from, to, level });
    expect(weightAt(499, objective, { lossSpace: to }) / prediction ** 2).toBeCloseTo(1, 12);
  }
});

test.each(allowed)('$type: from $from to $to every weight is finite, with a floor or without', ({ type, from, to }) => {
  const objective = objectiveOn(type, from);
  for (const weighting of [{ lossSpace: to }, { lossSpace: to, minDivisor: 0 }, { minSnrGamma: 5 }]) {
    const weights = Array.from({ length: 1000 }, (_, timestep) => weightAt(timestep, objective, weighting));
    expect(weights.every((weight) => Number.isFinite(weight) && weight >= 0)).toBe(true);
    expect(weights.filter((weight) => weight === 0).length).toBeLessThanOrEqual(1);
  }
});

describe('min-SNR', () => {
  test.each([
    [99, 0.14354218, 5, 0.13953631],
    [249, 0.90310296, 5, 0.76493919],
    [499, 1, 0.97567388, 0.49384359],
    [749, 1, 0.16859577, 0.1442721],
  ])('gamma 5 at %i: published weights', (timestep, epsilon, sample, v) => {
    const weights = (['epsilon', 'sample', 'v'] as const).map((predicted) =>
      weightAt(timestep, objectiveOn('cosine', predicted), { minSnrGamma: 5 }),
    );
    [epsilon, sample, v].forEach((expected, i) => {
      expect(weights[i]).toBeCloseTo(expected, 7);
    });
  });

  test.each(allowed)(
    '$type: the error in x0 of $from weighs min(SNR, gamma), by itself and in the space of $to',
    (pair) => {
      const { type, from, to } = pair;
      const objective = objectiveOn(type, from);
      for (const [timestep, minSnrGamma] of [
        [3, 5],
        [250, 1],
        [499, 5],
        [900, 20],
        [998, 5],
      ]) {
        const level = objective.noiseSchedule.level(timestep);
        const expected = Math.min(signalToNoiseRatio(level), minSnrGamma);
        // What an error of 1 in x0 is as an error of the prediction.
        const { prediction } = conversionCoefficients({ from: 'sample', to: from, level });
        const alone = weightAt(timestep, objective, { minSnrGamma });
        const both = weightAt(timestep, objective, { minSnrGamma, lossSpace: to, minDivisor: 0 });
        expect((alone * prediction ** 2) / expected).toBeCloseTo(1, 9);
        expect(both / alone).toBeCloseTo(1, 9);
      }
    },
  );

  test('in another space the weight is that of the space, times the conversion', () => {
    const objective = objectiveOn('cosine', 'sample');
    for (const timestep of [0, 499, 999]) {
      const level = objective.noiseSchedule.level(timestep);
      const conversion = weightAt(timestep, objective, { lossSpace: 'v' });
      const own = minSnrWeight({ parameterisation: 'v', level, gamma: 3 });
      expect(weightAt(timestep, objective, { lossSpace: 'v', minSnrGamma: 3 })).toBe(conversion * own);
    }
  });
});

test('fields that do nothing are problems, with what would do', () => {
  const told = (predicted: Parameterisation, weighting: LossWeighting) =>
    weightingProblems(predicted, weighting).map(({ path, message }) => `${path.join('.')}: ${message}`);
  expect(told('epsilon', {})).toEqual([]);
  expect(told('sample', { lossSpace: 'flow', minDivisor: 0.05 })).toEqual([]);
  expect(told('sample', { lossSpace: 'sample', minSnrGamma: 5 })).toEqual([]);
  expect(told('epsilon', { minSnrGamma: 5 })).toEqual([]);
  expect(told('epsilon', { minSnrGamma: 5, lossSpace: 'v' })).toEqual([
    expect.stringMatching(/^lossSpace: .*minSnrGamma/),
  ]);
  expect(told('sample', { minDivisor: 0.05 })).toEqual([expect.stringMatching(/^minDivisor: .*set lossSpace/)]);
  expect(told('sample', { lossSpace: 'sample', minDivisor: 0.05 })).toHaveLength(1);
  expect(told('v', { lossSpace: 'sample', minDivisor: 0.05 })).toEqual([
    expect.stringMatching(/^minDivisor: a v prediction .* predict sample or epsilon/),
  ]);
});
