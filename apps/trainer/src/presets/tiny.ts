/** @file A minute's run that shows that everything works; its pictures are blots. */
import type { RunConfigInput } from '../config/run-config.js';

export const tiny: RunConfigInput = {
  name: 'tiny',
  steps: 60,
  model: { preset: 'nano', layers: 2, channels: 64, heads: 2, feedForward: 192 },
  data: { imageSize: 16, demoSet: 8 },
  tokenizer: { vocabularySize: 300 },
  batch: { rows: 8 },
  learningRate: { type: 'cosine', learningRate: 2e-3, finalLearningRate: 1e-4, warmupSteps: 10 },
  sample: { every: 0 },
};
