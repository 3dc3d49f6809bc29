/** @file The autoencoder's training step in PyTorch: run by bench/torch/autoencoder_step.py. */
import { filterToStored, storedFilterShape } from '@transfusion/nn';
import type { TorchApi } from '../../engines/torch.js';
import { type NamedArray, torchTask } from '../../engines/torch-task.js';
import type { Task } from '../row.js';
import { CHECKED_STEPS } from '../step-task.js';
import {
  type AutoencoderProblem,
  imageShape,
  KL_WEIGHT,
  LEARNING_RATE,
  latentNoise,
  latentShape,
  NORM_EPSILON,
  OPTIMIZER,
} from './problem.js';

export function torchAutoencoderStep(torch: TorchApi, problem: AutoencoderProblem): Promise<Task> {
  const { config } = problem;
  const weights = [...problem.weights].map(([path, { shape, data }]): NamedArray => {
    const name = `weight.${path}`;
    return shape.length === 4 ? [name, filterToStored(data, shape), storedFilterShape(shape)] : [name, data, shape];
  });
  const arrays: NamedArray[] = [
    ...weights,
    channelsFirst('images', problem.images, imageShape(problem)),
    channelsFirst('noise', latentNoise(problem), latentShape(problem)),
  ];
  const description = {
    checkedSteps: CHECKED_STEPS,
    weights: [...problem.weights.keys()],
    widths: config.block_out_channels,
    layersPerBlock: config.layers_per_block,
    groups: config.norm_num_groups,
    normEpsilon: NORM_EPSILON,
    klWeight: KL_WEIGHT,
    learningRate: LEARNING_RATE,
    optimizer: OPTIMIZER,
  };
  return torchTask(torch, 'autoencoder_step.py', { arrays, description });
}

/** Images [batch, height, width, channels] as [batch, channels, height, width]. */
function channelsFirst(
  name: string,
  data: Float32Array,
  [batch, height, width, channels]: readonly number[],
): NamedArray {
  const pixels = height * width;
  const moved = Float32Array.from(data, (_, i) => {
    const [image, channel, pixel] = [
      Math.floor(i / (channels * pixels)),
      Math.floor(i / pixels) % channels,
      i % pixels,
    ];
    return data[(image * pixels + pixel) * channels + channel];
  });
  return [name, moved, [batch, channels, height, width]];
}
