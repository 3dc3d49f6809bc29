/** @file `npm run demo`: 32 emoji learned by heart in minutes on two cores. */
import type { RunConfigInput } from '../config/run-config.js';

export const demo: RunConfigInput = {
  name: 'demo',
  steps: 4500,
  model: { preset: 'nano' },
  data: { imageSize: 24, demoSet: 32 },
  tokenizer: { vocabularySize: 512 },
  batch: { rows: 16 },
  optimizer: { weightDecay: 0.05 },
  learningRate: { type: 'cosine', learningRate: 2e-3, finalLearningRate: 1e-4, warmupSteps: 50, totalSteps: 4500 },
  ema: { decay: 0.995 },
  diffusion: { clampSample: 1 },
  // With few steps, ancestral sampling corrects more of its own errors than DDIM: see docs/log.md.
  sampling: { steps: 50, guidance: 3, scheduler: 'ddpm' },
  sample: { every: 0 },
  checkpointEvery: 500,
};
