/** @file All emoji in four styles at 64 pixels, as latents of models/emoji-64-kl, with a held-out share. */
import type { RunConfigInput } from '../config/run-config.js';

export const emojiLatent: RunConfigInput = {
  name: 'emoji-latent',
  steps: 30_000,
  model: { preset: 'micro' },
  codec: 'emoji-64-kl',
  data: { dataset: 'emoji-styles', imageSize: 64 },
  patchSize: 1,
  tokenizer: { vocabularySize: 2048 },
  batch: { rows: 16, imagesPerRow: 2 },
  learningRate: { type: 'cosine', learningRate: 1e-3, finalLearningRate: 5e-5, warmupSteps: 500 },
};
