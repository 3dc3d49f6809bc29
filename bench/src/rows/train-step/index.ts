/** @file A whole training step: forward, backward, clipping and AdamW (in ours noise and a moving average too), of a mixed batch. */
import { defineRow } from '../row.js';
import { jaxTrainStep } from './jax-js.js';
import { ourTrainStep } from './ours.js';
import { LENGTH, MODEL, trainStepFlops, trainStepProblem } from './problem.js';
import { tfjsTrainStep } from './tfjs.js';
import { torchTrainStep } from './torch.js';

export const trainStepRow = defineRow({
  name: 'train-step',
  title: ({ rows }) =>
    `training step: d ${MODEL.channels}, ${MODEL.layers} layers, ${rows} x ${LENGTH} tokens, half of them patches`,
  unit: 'tokens/s',
  problem: trainStepProblem,
  reduced: 'a batch of 1 row instead of 8',
  work: ({ rows }) => rows * LENGTH,
  flops: trainStepFlops,
  // Losses after an update, whose gradients were summed in other orders.
  tolerance: 1e-3,
  engines: { ours: ourTrainStep, 'jax-js': jaxTrainStep, tfjs: tfjsTrainStep, torch: torchTrainStep },
});
