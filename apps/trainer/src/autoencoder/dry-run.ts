/** @file What an autoencoder's run would take, as text. */
import { countParameters } from '@transfusion/nn';
import { autoencoderSpec } from '@transfusion/vae';
import type { LoadDatasetOptions } from '../data/dataset.js';
import { megabytes } from '../train/planning-backend.js';
import type { VaeRunConfig } from './config.js';
import { planAutoencoder } from './plan-step.js';
import { loadImages, stepOptions } from './session.js';

/** The resolved configuration, parameters, FLOPs and memory, worked out without a device. */
export async function describeAutoencoderRun(config: VaeRunConfig, context: LoadDatasetOptions): Promise<string> {
  const options = stepOptions(config);
  const { largest, totalFlops } = await planAutoencoder(config, options);
  const { train, heldOut } = await loadImages(config, context);
  return [
    JSON.stringify({ ...config, resolvedAutoencoder: options.autoencoder }, null, 2),
    '',
    `pictures          ${train.length} to train on, ${heldOut.length} held out`,
    `parameters        ${countParameters(autoencoderSpec(options.autoencoder)).toLocaleString('en')}`,
    `work              ${(totalFlops / 1e12).toPrecision(3)} TFLOP in all, at most ${(largest.flops / 1e9).toFixed(2)} GFLOP a step (without LPIPS)`,
    `memory: state     ${megabytes(largest.stateBytes)} (weights, two moments, average; the discriminator's too)`,
    `memory: scratch   ${megabytes(largest.arenaBytes)} (activations and gradients; ${megabytes(largest.liveBytes)} in use at once)`,
  ].join('\n');
}
