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
