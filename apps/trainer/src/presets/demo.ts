/** @file `npm run demo`: 32 emoji learned by heart in minutes on two cores. */
import type { RunConfigInput } from '../config/run-config.js';

export const demo: RunConfigInput = {
  name: 'demo',
  steps: 3000,
  model: { preset: 'nano' },
  data: { imageSize: 24, demoSet: 32 },
  tokenizer: { vocabularySize: 512 },
  batch: { rows: 16 },
  optimizer: { weightDecay: 0.05 },
  learningRate: { type: 'cosine', learningRate: 2e-3, finalLearningRate: 1e-4, warmupSteps: 50, totalSteps: 3000 },
  ema: { decay: 0.99 },
  sample: { every: 0 },
  checkpointEvery: 500,
};
