/** @file Editing by instruction: emoji in another style, colour or direction; latents of models/emoji-64-kl, with a held-out share. */
import type { RunConfigInput } from '../config/run-config.js';

export const emojiEdit: RunConfigInput = {
  name: 'emoji-edit',
  steps: 15_000,
  model: { preset: 'nano', layers: 6, channels: 192, heads: 6, feedForward: 512 },
  codec: 'emoji-64-kl',
  data: { dataset: 'emoji-edits', imageSize: 64 },
  // 8 x 8 x 8 latents: 16 patches of 32 values for each of the two images.
  patchSize: 2,
  tokenizer: { vocabularySize: 1024 },
  batch: { rows: 16 },
  optimizer: { weightDecay: 0.05 },
  learningRate: { type: 'cosine', learningRate: 1e-3, finalLearningRate: 5e-5, warmupSteps: 300 },
  ema: { decay: 0.999 },
  // Weighs much noise more than predicting the noise does: there the picture to look at, and the instruction, decide.
  diffusion: { schedule: 'flow', parameterisation: 'flow' },
  sampling: { steps: 25, guidance: 2, scheduler: 'euler' },
  sample: { every: 3000, images: 16 },
  checkpointEvery: 1000,
};
