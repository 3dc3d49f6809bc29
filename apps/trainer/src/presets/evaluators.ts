/** @file Named configurations of `trainer evaluator`. */
import type { EvaluatorRunConfigInput } from '../config/evaluator-run-config.js';

/** All emoji in four styles with their captions, as CLIP learns; what preset emoji-64 holds out, it never sees. */
const emojiEncoder: EvaluatorRunConfigInput = {
  name: 'emoji-64-encoder',
  steps: 1800,
  network: { kind: 'dual-encoder' },
  data: { heldOutBy: 'cells' },
};

/** The ten classes of Fashion-MNIST; `data.folder` says where its files are. */
const fashionClassifier: EvaluatorRunConfigInput = {
  name: 'fashion-mnist-classifier',
  steps: 3000,
  network: { kind: 'image-classifier' },
  data: { dataset: 'fashion-mnist', imageSize: 28, flip: true, shift: 0 },
  batchSize: 64,
  learningRate: { learningRate: 3e-3 },
  ema: { decay: 0.995 },
  sample: { every: 500, scored: 2000 },
};

/** A minute's run that shows that everything works. */
const tiny: EvaluatorRunConfigInput = {
  name: 'evaluator-tiny',
  steps: 60,
  network: {
    kind: 'dual-encoder',
    image: { channels: 32, layers: 2, heads: 2, feedForward: 64, patchSize: 4 },
    text: { channels: 32, layers: 1, heads: 2, feedForward: 64, vocabularySize: 300, maxTokens: 24 },
    embedding: 32,
  },
  data: { dataset: 'emoji', imageSize: 16, demoSet: 32, heldOutFraction: 0.2, shift: 1 },
  batchSize: 16,
  sample: { every: 0 },
};

export const evaluatorPresets: Readonly<Record<string, EvaluatorRunConfigInput>> = {
  'emoji-64-encoder': emojiEncoder,
  'fashion-mnist-classifier': fashionClassifier,
  tiny,
};
