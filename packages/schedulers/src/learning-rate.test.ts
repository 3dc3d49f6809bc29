import { createLearningRate } from './learning-rate.js';

test.each([
  [0, 0],
  [2000, 1.5e-4],
  [4000, 3e-4],
  [50_000, 2.7611064880869084e-4],
  [127_000, 1.575e-4],
  [200_000, 4.307681301825509e-5],
  [250_000, 1.5e-5],
  [300_000, 1.5e-5],
])("the paper's schedule at step %i", (step, expected) => {
  expect(Math.abs(createLearningRate()(step) - expected)).toBeLessThan(1e-18);
});

test('linear decay passes half way at half time', () => {
  const rate = createLearningRate({
    type: 'linear',
    learningRate: 1,
    finalLearningRate: 0.5,
    warmupSteps: 10,
    totalSteps: 30,
  });
  expect([5, 10, 20, 30, 40].map(rate)).toEqual([0.5, 1, 0.75, 0.5, 0.5]);
});

describe('warm-up, stable, decay', () => {
  const options = { type: 'warmup-stable-decay', learningRate: 1, finalLearningRate: 0.2, warmupSteps: 10 } as const;
  const rate = createLearningRate({ ...options, decaySteps: 16, totalSteps: 50 });

  test('it stays until the decay, and falls as 1 - sqrt', () => {
    expect([5, 10, 30, 34].map(rate)).toEqual([0.5, 1, 1, 1]);
    expect([38, 43, 50, 60].map(rate)).toEqual([0.2 + 0.8 * 0.5, 0.2 + 0.8 * 0.25, 0.2, 0.2]);
  });

  test('a longer run has the same rates until the decay of the shorter starts', () => {
    const longer = createLearningRate({ ...options, decaySteps: 16, totalSteps: 500 });
    const steps = Array.from({ length: 35 }, (_, step) => step);
    expect(steps.map(longer)).toEqual(steps.map(rate));
  });

  test('without a decay it is constant to the end', () => {
    expect([49, 50].map(createLearningRate({ ...options, decaySteps: 0, totalSteps: 50 }))).toEqual([1, 0.2]);
  });

  test('warm-up and decay that overlap are refused', () => {
    expect(() => createLearningRate({ ...options, decaySteps: 41, totalSteps: 50 })).toThrow(
      /must not exceed totalSteps together/,
    );
  });
});

test('constant, with and without warm-up', () => {
  expect([0, 1, 100].map(createLearningRate({ type: 'constant', learningRate: 2 }))).toEqual([2, 2, 2]);
  const rate = createLearningRate({ type: 'constant', learningRate: 2, warmupSteps: 4 });
  expect([0, 1, 4, 5].map(rate)).toEqual([0, 0.5, 2, 2]);
});

test('a run that is all warm-up ends at the final rate', () => {
  const rate = createLearningRate({ type: 'cosine', warmupSteps: 10, totalSteps: 10 });
  expect(rate(10)).toBe(1.5e-5);
});

test('a warm-up longer than the run is refused', () => {
  expect(() => createLearningRate({ type: 'cosine', totalSteps: 925 })).toThrow(
    /warmupSteps must not exceed totalSteps/,
  );
});

test('an unknown key is refused with the nearest known name', () => {
  const config = { type: 'cosine', warmUpStep: 3 } as unknown as { type: 'cosine' };
  expect(() => createLearningRate(config)).toThrow(/warmUpStep: unknown key; did you mean "warmupSteps"\?/);
});
