/** @file A training step of the KL autoencoder: L1 and the divergence of the posterior, forward, backward and Adam. */
import { defineRow } from '../row.js';
import { ourAutoencoderStep } from './ours.js';
import { autoencoderProblem, autoencoderStepFlops, BATCH, PRESET, REDUCED_BATCH, SIZE } from './problem.js';
import { tfjsAutoencoderStep } from './tfjs.js';
import { torchAutoencoderStep } from './torch.js';

export const autoencoderStepRow = defineRow({
  name: 'autoencoder-step',
  title: ({ batch }) => `training step of the KL autoencoder ${PRESET}: ${batch} images of ${SIZE} x ${SIZE}`,
  unit: 'images/s',
  backends: ['wasm'],
  problem: autoencoderProblem,
  reduced: `a batch of ${REDUCED_BATCH} images instead of ${BATCH}`,
  work: ({ batch }) => batch,
  flops: autoencoderStepFlops,
  // Of logarithms, whose root mean square is about 6: each number agrees within 6e-4 of itself.
  tolerance: 1e-4,
  engines: { ours: ourAutoencoderStep, tfjs: tfjsAutoencoderStep, torch: torchAutoencoderStep },
});
