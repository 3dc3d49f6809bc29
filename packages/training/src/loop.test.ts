/** @file What the loop does where a part of it fails. */
import { train } from './loop.js';
import type { TrainingSession } from './session.js';

test('an error of the next batches waits for the step that is running, so that its state can be freed', async () => {
  let running = 0;
  const runner = {
    async run() {
      running++;
      await new Promise((done) => setTimeout(done, 20));
      running--;
      return { terms: {}, gradientNorm: 1, learningRate: 1, upkeep: {} };
    },
  };
  const batches = (step: number) => {
    if (step === 0) return [];
    throw new Error('no batch');
  };
  const session = { optimisation: { steps: 3 }, runner, batches, termsOf: () => ({}) } as unknown as TrainingSession;
  await expect(train({ session })).rejects.toThrow('no batch');
  expect(running).toBe(0);
});

test('told to stop while it shows what the model does, it leaves that out, saves and ends', async () => {
  const controller = new AbortController();
  const runner = { run: async () => ({ terms: {}, gradientNorm: 1, learningRate: 1, upkeep: {} }) };
  const session = {
    ...{ optimisation: { steps: 9 }, runner, perStep: {}, batches: () => [], termsOf: () => ({}) },
  } as unknown as TrainingSession;
  const saved: number[] = [];
  const metrics: Record<string, unknown>[] = [];
  const options = { session, signal: controller.signal, sampleEvery: 3, logEvery: 100 };
  const result = await train({
    ...options,
    metrics: (record) => void metrics.push(record),
    save: async ({ step }) => void saved.push(step),
    async sample(step, signal) {
      if (step === 6) controller.abort(new Error('stop'));
      signal?.throwIfAborted();
      return { score: step };
    },
  });
  expect(result).toMatchObject({ step: 6, finished: false });
  expect(saved).toEqual([6]);
  expect(metrics).toEqual([{ step: 3, score: 3 }]);
  // What fails otherwise is told.
  const broken = train({ session, sampleEvery: 1, sample: () => Promise.reject(new Error('no room')) });
  await expect(broken).rejects.toThrow('no room');
});
