/** @file Draws, captions and edits emoji at 64 pixels, in four styles, learned with five more; latents of models/emoji-64-kl, and WordNet's glosses as text. */
import type { RunConfigInput } from '../config/run-config.js';

export const emoji64: RunConfigInput = {
  name: 'emoji-64',
  steps: 18_000,
  model: {
    ...{ preset: 'nano', layers: 8, channels: 192, heads: 6, feedForward: 512 },
    // An edit's patches find those of the picture that is given.
    patchCoordinates: 'sinusoidal',
  },
  codec: 'emoji-64-kl',
  data: {
    dataset: 'emoji-all',
    imageSize: 64,
    heldOutBy: 'cells',
    furtherStyles: true,
    otherCaptions: 0.3,
    texts: 'wordnet',
    textShare: 0.06,
    documentShare: 0.15,
    // Reading takes more pictures than drawing, seen in other ways, with little noise.
    imageFirstProbability: 0.4,
    imageFirstCap: 150,
    views: 3,
  },
  // 8 x 8 x 8 latents: 16 patches of 32 values for each image.
  patchSize: 2,
  tokenizer: { vocabularySize: 4096 },
  batch: { rows: 6, imagesPerRow: null, sequenceLength: 256 },
  optimizer: { weightDecay: 0.05 },
  // Until step 14,000 the run may be made longer: --resume with --set steps=... --set learningRate.totalSteps=...
  learningRate: {
    ...{ type: 'warmup-stable-decay', learningRate: 1e-3, finalLearningRate: 2e-5 },
    ...{ warmupSteps: 500, decaySteps: 4000 },
  },
  ema: { decay: 0.9995 },
  diffusion: { schedule: 'flow', parameterisation: 'flow' },
  // What a caption says is learned where the noise hides it.
  objective: { timesteps: { shift: 3 } },
  sampling: { steps: 25, guidance: 3, scheduler: 'heun' },
  sample: { every: 4000, images: 16 },
  checkpointEvery: 250,
};
