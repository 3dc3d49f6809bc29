/** @file What the loop does where a part of it fails. */
import { train } from './loop.js';
import type { TrainingSession } from './session.js';

test('an error of the next batches waits for the step that is running, so that its state can be freed', async () => {
  let running = 0;
  const runner = {
    overlaps: () => false,
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
  const step = { terms: {}, gradientNorm: 1, learningRate: 1, upkeep: {} };
  const runner = { overlaps: () => true, run: async () => step };
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

test('where steps may overlap, what is saved and shown is the state after its step, and none begins after the signal', async () => {
  const controller = new AbortController();
  let begun = 0;
  const runner = {
    overlaps: () => true,
    async run() {
      begun++;
      await new Promise((done) => setTimeout(done, 1));
      return { terms: {}, gradientNorm: 1, learningRate: 1, upkeep: {} };
    },
  };
  const session = {
    ...{ optimisation: { steps: 20 }, runner, perStep: {}, batches: () => [], termsOf: () => ({}) },
  } as unknown as TrainingSession;
  const seen: [string, number, number][] = [];
  const options = { session, signal: controller.signal, sampleEvery: 4, checkpointEvery: 6 };
  let ahead = 0;
  const result = await train({
    ...options,
    progress(step) {
      ahead += begun - step;
      if (step === 14) controller.abort();
    },
    save: async ({ step }) => void seen.push(['save', step, begun]),
    sample: async (step) => {
      seen.push(['sample', step, begun]);
      return {};
    },
  });
  expect(seen).toEqual([
    ['sample', 4, 4],
    ['save', 6, 6],
    ['sample', 8, 8],
    ['sample', 12, 12],
    ['save', 12, 12],
    // The fifteenth was in the queue already.
    ['save', 15, 15],
  ]);
  expect(result).toMatchObject({ step: 15, finished: false });
  expect(ahead).toBeGreaterThanOrEqual(10);
});
