/** @file What can be trained in a tab, from a minute's taste to pictures through an autoencoder. */
import type { TransfusionTrainingInput } from '@transfusion/training';
import type { TrainingPlan, TrainingPresetInfo } from './protocol.js';

export interface TrainingPreset extends Omit<TrainingPresetInfo, 'unavailable'> {
  /** Side of its pictures. */
  size: number;
  /** What the pictures are to the model. */
  images: 'pixels' | 'latents' | 'of the open model';
  config: TransfusionTrainingInput;
}

const flow: TransfusionTrainingInput = {
  optimizer: { weightDecay: 0.05 },
  ema: { decay: 0.995 },
  // At equal steps its drawings are nearer to what they should show than those of the paper's epsilon: see docs/log.md.
  diffusion: { schedule: 'flow', parameterisation: 'flow' },
  sampling: { steps: 25, guidance: 3, scheduler: 'heun' },
};

const plan = { rows: 16, learningRate: 2e-3, seed: 0 };

export const trainingPresets: readonly TrainingPreset[] = [
  {
    id: 'sharp',
    title: 'Sharp',
    about: '64 × 64, through the autoencoder that comes with the page. Good pictures in some minutes.',
    size: 64,
    images: 'latents',
    plan: { preset: 'sharp', steps: 2000, ...plan },
    config: { ...flow, model: { preset: 'nano' }, patchSize: 2, tokenizer: { vocabularySize: 512 } },
  },
  {
    id: 'pixels',
    title: 'Pixels',
    about: '24 × 24, straight from the pixels, without an autoencoder. Some minutes.',
    size: 24,
    images: 'pixels',
    plan: { preset: 'pixels', steps: 2000, ...plan },
    config: { ...flow, model: { preset: 'nano' }, patchSize: 4, tokenizer: { vocabularySize: 512 } },
  },
  {
    id: 'taste',
    title: 'A taste',
    about: '16 × 16, a very small model. The losses fall within a minute.',
    size: 16,
    images: 'pixels',
    plan: { preset: 'taste', steps: 300, ...plan, rows: 8 },
    config: {
      ...flow,
      model: { preset: 'nano', layers: 2, channels: 64, heads: 2, feedForward: 192 },
      patchSize: 4,
      tokenizer: { vocabularySize: 300 },
      ema: { decay: 0.98 },
      sampling: { steps: 10, guidance: 3, scheduler: 'heun' },
    },
  },
  {
    id: 'on',
    title: 'Go on',
    about: 'From the model that is open: teach it other pictures.',
    size: 0,
    images: 'of the open model',
    plan: { preset: 'on', steps: 500, ...plan, learningRate: 5e-4 },
    config: { optimizer: { weightDecay: 0.05 }, ema: { decay: 0.99 } },
  },
];

export function presetOf(id: string): TrainingPreset {
  return trainingPresets.find((preset) => preset.id === id) ?? trainingPresets[0];
}

/** The preset's configuration with what was chosen. */
export function configOf(preset: TrainingPreset, { steps, rows, learningRate, seed }: TrainingPlan) {
  return {
    ...preset.config,
    ...{ steps, seed, batch: { rows } },
    data: { heldOutFraction: 0 },
    learningRate: {
      ...{ type: 'cosine', learningRate, finalLearningRate: learningRate / 20 },
      warmupSteps: Math.min(50, Math.ceil(steps / 10)),
    },
  } satisfies TransfusionTrainingInput;
}
