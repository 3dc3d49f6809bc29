/**
 * @file The autoencoder's training step in our packages, as `trainer vae` runs it. It does more than that of the others: it
 * draws the noise of the latents, measures and clips the gradients, and keeps a moving average of the weights.
 */
import { autoencoderObjective, autoencoderTrainingConfig, type Objective } from '@transfusion/training';
import type { EngineApis } from '../../engines/engine.js';
import type { Task } from '../row.js';
import { constantRate, trainingTask } from '../training-step.js';
import { type AutoencoderProblem, checkedNumbers, KL_WEIGHT, LEARNING_RATE, OPTIMIZER, SIZE } from './problem.js';

/** None that occurs: the other engines do not clip. */
const MAX_GRADIENT_NORM = 1e6;

export function ourAutoencoderStep({ backend }: EngineApis['ours'], problem: AutoencoderProblem): Promise<Task> {
  const { config, images, noiseSeed } = problem;
  const objective = autoencoderObjective({
    autoencoder: config,
    batch: { images: problem.batch, height: SIZE, width: SIZE },
    loss: autoencoderTrainingConfig({ loss: { kl: KL_WEIGHT } }).loss,
  });
  const optimisation = constantRate({
    optimizer: OPTIMIZER,
    maxGradientNorm: MAX_GRADIENT_NORM,
    learningRate: LEARNING_RATE,
  });
  return trainingTask(
    {
      backend,
      objective: objective as Objective,
      optimisation,
      weights: new Map([...problem.weights].map(([path, { data }]) => [path, data])),
      batch: { images, noiseSeed },
    },
    ({ terms, gradientNorm }) => checkedNumbers({ l1: terms.l1, kl: KL_WEIGHT * terms.kl, norm: gradientNorm }),
  );
}
