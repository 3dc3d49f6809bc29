/** @file The training step in PyTorch: run by bench/torch/train_step.py. */
import type { TorchApi } from '../../engines/torch.js';
import { type NamedArray, torchTask } from '../../engines/torch-task.js';
import type { Task } from '../row.js';
import { CHECKED_STEPS } from '../step-task.js';
import { denseBatch, denseWeights, headDimOf, sections } from './dense.js';
import {
  LAMBDA,
  LEARNING_RATE,
  MAX_GRADIENT_NORM,
  OPTIMIZER,
  patchesPerImage,
  type TrainStepProblem,
} from './problem.js';

export function torchTrainStep(torch: TorchApi, problem: TrainStepProblem): Promise<Task> {
  const dense = denseBatch(problem);
  const weights = denseWeights(problem);
  const { rows, images, model, layout } = problem;
  const { length } = layout;
  const headDim = headDimOf(model);
  const perPatch = [images, patchesPerImage(layout), model.patchValues];
  const arrays: NamedArray[] = [
    ...weights.map(({ path, data, shape }): NamedArray => [`weight.${path}`, data, shape]),
    ['tokens', dense.tokens, [rows, dense.tokens.length / rows]],
    ['targets', dense.targets, [rows, length]],
    ['targetWeights', dense.targetWeights, [rows, length]],
    ['visible', dense.visible, [length, length]],
    ['cos', dense.cos, [length, headDim / 2]],
    ['sin', dense.sin, [length, headDim / 2]],
    ['sinusoids', dense.sinusoids, [images, model.timestepDimensions]],
    ['patches', dense.patches, perPatch],
    ['noise', dense.noise, perPatch],
  ];
  const description = {
    checkedSteps: CHECKED_STEPS,
    weights: weights.map(({ path, decays }) => ({ path, decays })),
    sections: sections(layout),
    rows,
    length,
    heads: model.heads,
    headDim,
    layers: model.layers,
    normEpsilon: model.normEpsilon,
    lambda: LAMBDA,
    learningRate: LEARNING_RATE,
    maxGradientNorm: MAX_GRADIENT_NORM,
    optimizer: OPTIMIZER,
  };
  return torchTask(torch, 'train_step.py', { arrays, description });
}
