/** @file Layers of convolutional networks, over images [batch, height, width, channels]. */
import { type Conv2dOptions, conv2d, groupNorm as groupNormOp, type Tensor } from '@transfusion/tensor';
import { ParameterSpec, vector } from './parameters.js';

export interface ConvolutionParameters<T = Tensor> {
  /** [kernelHeight, kernelWidth, inputs, outputs] */
  weight: T;
  /** [outputs] */
  bias: T;
}

/**
 * A square filter. Its standard deviation is that of PyTorch's default (uniform within 1 / sqrt(inputs kernel^2)), unless
 * given.
 */
export function convolutionSpec(options: {
  inputs: number;
  outputs: number;
  /** Side of the filter; default 3. */
  kernel?: number;
  std?: number;
}): ConvolutionParameters<ParameterSpec> {
  const { inputs, outputs, kernel = 3, std = 1 / Math.sqrt(3 * inputs * kernel ** 2) } = options;
  return {
    weight: new ParameterSpec([kernel, kernel, inputs, outputs], { kind: 'normal', std }, true),
    bias: vector(outputs),
  };
}

/** x [batch, height, width, inputs] -> [batch, height', width', outputs]; stride 1 and no padding unless given. */
export function convolution(p: ConvolutionParameters, x: Tensor, options: Conv2dOptions = {}): Tensor {
  return conv2d(x, p.weight, options).add(p.bias);
}

export interface NormParameters<T = Tensor> {
  /** Gain, [channels]. */
  weight: T;
  /** [channels] */
  bias: T;
}

export function normSpec(channels: number): NormParameters<ParameterSpec> {
  return { weight: vector(channels, 1), bias: vector(channels) };
}

export interface GroupNormOptions {
  /** Divides the number of channels. */
  groups: number;
  /** Default 1e-5. */
  epsilon?: number;
  /** Statistics of each position instead of the whole image: with one group, layer norm over channels. Default false. */
  perPosition?: boolean;
}

/** Group norm (Wu and He 2018) of x [batch, ..., channels]. */
export function groupNorm(p: NormParameters, x: Tensor, options: GroupNormOptions): Tensor {
  const { groups, epsilon = 1e-5, perPosition = false } = options;
  if (perPosition) return groupNorm(p, x.reshape([-1, x.shape.at(-1)!]), { groups, epsilon }).reshape(x.shape);
  return groupNormOp(x, { groups, weight: p.weight, bias: p.bias, epsilon });
}

/** max(x, 0), whose gradient at 0 is 0. */
export function relu(x: Tensor): Tensor {
  return leakyRelu(x, 0);
}

/** x where it is positive, else slope x. */
export function leakyRelu(x: Tensor, slope: number): Tensor {
  return x.mul(
    x
      .greater(0)
      .mul(1 - slope)
      .add(slope),
  );
}
