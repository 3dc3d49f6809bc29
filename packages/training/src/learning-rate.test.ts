import {
  fittedLearningRate,
  learningRateAdvice,
  type RunLearningRate,
  runLearningRate,
  runLearningRateSchema,
} from './learning-rate.js';

const schema = runLearningRateSchema({ learningRate: 3e-4, finalLearningRate: 1.5e-5 });
const run = (steps: number, given: Partial<RunLearningRate> = {}) => ({ steps, learningRate: schema.parse(given) });

test('what is left open follows from the number of steps, in the proportions of the paper', () => {
  expect(fittedLearningRate(run(250_000))).toMatchObject({ warmupSteps: 4000, totalSteps: 250_000 });
  expect(fittedLearningRate(run(1000))).toMatchObject({ warmupSteps: 16, totalSteps: 1000 });
  expect(fittedLearningRate(run(1_000_000))).toMatchObject({ warmupSteps: 4000, totalSteps: 1_000_000 });
  expect(fittedLearningRate(run(1000, { type: 'constant' }))).toMatchObject({ warmupSteps: 0 });
  expect(fittedLearningRate(run(10, { warmupSteps: 5, totalSteps: 20 }))).toMatchObject({
    warmupSteps: 5,
    totalSteps: 20,
  });
});

test('what was fitted stays as it is when the run is given more steps', () => {
  const learningRate = fittedLearningRate(run(1000));
  expect(fittedLearningRate({ steps: 5000, learningRate })).toEqual(learningRate);
});

test('a short run reaches its rate, and its end', () => {
  const rate = runLearningRate(run(1000));
  expect(rate(16)).toBeCloseTo(3e-4, 12);
  expect(rate(1000)).toBeCloseTo(1.5e-5, 12);
});

test('a warm-up that takes much of a run, or outlasts it, is told; a usual one is not', () => {
  expect(learningRateAdvice(run(1000))).toEqual([]);
  expect(learningRateAdvice(run(1000, { warmupSteps: 150 }))).toEqual([]);
  expect(learningRateAdvice(run(1000, { warmupSteps: 500 }))).toEqual([
    'the rate warms up for 500 of 1000 steps; --set learningRate.warmupSteps=16 would be usual',
  ]);
  expect(learningRateAdvice(run(1000, { warmupSteps: 4000 }))).toEqual([
    'the rate warms up for 4000 of 1000 steps, and the rate ends at 0.000075 instead of 0.0003; --set learningRate.warmupSteps=16 would be usual',
  ]);
});

test('a decay that the run does not live to see is told', () => {
  expect(learningRateAdvice(run(100, { warmupSteps: 1, totalSteps: 1000 }))).toEqual([
    expect.stringMatching(/until step 1000, and the run ends at 100, at a rate of 0.0002\d; .*totalSteps=100 /),
  ]);
  expect(learningRateAdvice(run(100, { type: 'constant', totalSteps: 1000 }))).toEqual([]);
});

test('configurations of earlier runs, with numbers for everything, are read', () => {
  expect(schema.parse({ type: 'constant', learningRate: 1e-4, warmupSteps: 5000 })).toMatchObject({
    warmupSteps: 5000,
  });
});

test('the rate never rises after warm-up, and that it stays is told', () => {
  const low = run(1000, { learningRate: 1e-6 });
  for (const step of [16, 500, 1000]) expect(runLearningRate(low)(step)).toBeCloseTo(1e-6, 12);
  expect(learningRateAdvice(low)).toEqual([
    expect.stringMatching(/finalLearningRate is 0.000015, above .* stays at 0.000001 /),
  ]);
  expect(runLearningRate(run(1000, { learningRate: 0 }))(1000)).toBe(0);
});
