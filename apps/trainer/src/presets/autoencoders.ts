/** @file Named configurations of `trainer vae`. */
import type { VaeRunConfigInput } from '../config/vae-run-config.js';

const emojiSteps = 7000;

/** All emoji in four styles, 64 x 64 to 8 x 8 x 8, by L1; more than an hour on two cores. */
const emojiKl: VaeRunConfigInput = {
  name: 'emoji-64-kl',
  steps: emojiSteps,
  autoencoder: { kind: 'kl', preset: 'emoji-64' },
  batchSize: 8,
  loss: { adversarial: 0 },
  learningRate: {
    type: 'cosine',
    learningRate: 1e-3,
    finalLearningRate: 1e-5,
    warmupSteps: 100,
  },
};

const refinedSteps = 13_000;

/** Goes on from such weights, for PSNR and SSIM too: the second half of models/emoji-64-kl. */
const emojiKlRefined: VaeRunConfigInput = {
  ...emojiKl,
  name: 'emoji-64-kl-refined',
  steps: refinedSteps,
  initialWeights: 'emoji-64-kl',
  loss: { adversarial: 0, squaredError: 4, structuralSimilarity: 0.5 },
  learningRate: {
    type: 'cosine',
    learningRate: 7e-4,
    finalLearningRate: 1e-5,
    warmupSteps: 100,
  },
};

const emojiVqSteps = 3200;

/** A twin with a codebook of 2,048, which starts from the weights of a KL autoencoder. */
const emojiVq: VaeRunConfigInput = {
  ...emojiKl,
  name: 'emoji-64-vq',
  steps: emojiVqSteps,
  autoencoder: { kind: 'vq', preset: 'emoji-64' },
  initialWeights: 'emoji-64-kl',
  revival: { every: 50 },
  learningRate: {
    type: 'cosine',
    learningRate: 7e-4,
    finalLearningRate: 1e-5,
    warmupSteps: 100,
  },
};

/** The paper's size and losses (appendix A), without L_ID; LPIPS needs a file of weights, `data.folder` pictures, all of it a GPU. */
const paper: VaeRunConfigInput = {
  name: 'vae-paper',
  steps: 1_000_000,
  autoencoder: { kind: 'kl', preset: 'paper' },
  data: { dataset: 'folder', imageSize: 256 },
  learningRate: { type: 'constant', learningRate: 1e-4, warmupSteps: 5000 },
};

/** A minute's run that shows that everything works. */
const tiny: VaeRunConfigInput = {
  name: 'vae-tiny',
  steps: 60,
  autoencoder: { overrides: { block_out_channels: [16, 32], norm_num_groups: 8, latent_channels: 4 } },
  data: { dataset: 'emoji', imageSize: 16, demoSet: 32, heldOutFraction: 0.2 },
  batchSize: 8,
  loss: { adversarialStart: 40, discriminatorChannels: 16, discriminatorLayers: 1 },
  learningRate: { type: 'cosine', learningRate: 2e-3, finalLearningRate: 1e-4, warmupSteps: 10 },
  sample: { every: 0 },
};

export const autoencoderPresets: Readonly<Record<string, VaeRunConfigInput>> = {
  'emoji-64-kl': emojiKl,
  'emoji-64-kl-refined': emojiKlRefined,
  'emoji-64-vq': emojiVq,
  paper,
  tiny,
};
