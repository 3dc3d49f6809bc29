/**
 * @file The training step in our packages, as `trainer train` runs it. It does more than that of the others, whose patches come
 * with the noise added: it draws and adds it, makes patches of latents, and keeps a moving average of the weights.
 */
import { type BatchArrays, type Objective, type TransfusionInputs, transfusionObjective } from '@transfusion/training';
import type { EngineApis } from '../../engines/engine.js';
import type { Task } from '../row.js';
import { constantRate, type TrainingStepOptions, trainingTask } from '../training-step.js';
import { LAMBDA, LEARNING_RATE, latentShape, MAX_GRADIENT_NORM, OPTIMIZER, type TrainStepProblem } from './problem.js';

export function ourTrainStep({ backend }: EngineApis['ours'], problem: TrainStepProblem): Promise<Task> {
  return trainingTask(trainStepOptions(backend, problem), ({ terms, gradientNorm }) => [
    terms.language,
    terms.diffusion,
    gradientNorm,
  ]);
}

export function trainStepOptions(
  backend: TrainingStepOptions['backend'],
  problem: TrainStepProblem,
): TrainingStepOptions {
  const { model, layout, rows, images, weights } = problem;
  const [height, width] = latentShape(model, layout);
  const sizes = {
    model,
    batch: { rows, sequenceLength: layout.length, grids: [{ height, width, slots: images }] },
    lambda: LAMBDA,
  };
  return {
    backend,
    objective: transfusionObjective(sizes) as Objective,
    optimisation: constantRate({
      optimizer: OPTIMIZER,
      maxGradientNorm: MAX_GRADIENT_NORM,
      learningRate: LEARNING_RATE,
    }),
    weights,
    batch: batchArrays(problem),
  };
}

/** Arrays for the objective's inputs: all images are of one size and in use. */
function batchArrays({ images, batch }: TrainStepProblem): BatchArrays<TransfusionInputs> {
  const { tokens, positions, begin, end, targets, noiseSeed, ...own } = batch;
  const { latents, patchIndex, patchPositions, timesteps, noiseCoefficients } = own;
  const mask = new Float32Array(images).fill(1);
  return {
    ...{ tokens, positions, begin, end, targets, noiseSeed },
    groups: [{ latents, patchIndex, patchPositions, mask, timesteps, noiseCoefficients }],
    targetCount: Float32Array.of(targets.filter((target) => target >= 0).length),
    imageCount: Float32Array.of(images),
  };
}
