/** @file The training step of the paper's smallest model on one sequence of its length, for GPUs. */
import { modelConfigSchema, modelPresets } from '@transfusion/transformer';
import { defineRow } from '../row.js';
import { ourTrainStep } from './ours.js';
import { type TrainStepShape, trainStepFlops, trainStepProblemOf } from './problem.js';
import { torchTrainStep } from './torch.js';

/** 2x2 patches: an image is 256 of them, beside as much text. */
const LAYOUT = { length: 4096, imagesPerRow: 8 };

const SHAPE: TrainStepShape = {
  model: modelConfigSchema.parse({ ...modelPresets['0.16b'], maxPositions: LAYOUT.length }),
  layout: LAYOUT,
  rows: 1,
};

export const smallestPaperTrainStepRow = defineRow({
  name: 'train-step-0.16b',
  title: ({ layout }) => `training step of the 0.16B model, ${layout.length} tokens, half of them patches`,
  unit: 'tokens/s',
  backends: ['webgpu'],
  gpuOnly: true,
  problem: () => trainStepProblemOf(SHAPE),
  work: ({ rows, layout }) => rows * layout.length,
  flops: trainStepFlops,
  tolerance: 1e-3,
  engines: { ours: ourTrainStep, torch: torchTrainStep },
});
