/** @file All of Twitter's emoji at 32 pixels, with a held-out share: some hours on two cores. */
import type { RunConfigInput } from '../config/run-config.js';

export const emoji: RunConfigInput = {
  name: 'emoji',
  steps: 30_000,
  model: { preset: 'micro' },
  data: { imageSize: 32 },
  tokenizer: { vocabularySize: 2048 },
  batch: { rows: 16, imagesPerRow: 2 },
  learningRate: { type: 'cosine', learningRate: 1e-3, finalLearningRate: 5e-5, warmupSteps: 500 },
};
