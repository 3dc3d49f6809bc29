/** @file The classifier's tower: pictures to vectors by a few convolutions, each of half the side, and the mean over what is left. */
import {
  type ConvolutionParameters,
  convolution,
  convolutionSpec,
  type NormParameters,
  normSilu,
  normSpec,
  type ParameterSpec,
} from '@transfusion/nn';
import type { Tensor } from '@transfusion/tensor';
import { CHANNELS_OF_GROUP, type ConvolutionalConfig } from './config.js';

interface LevelParameters<T = Tensor> {
  /** Of what comes in, in groups of eight channels; the first level has none. */
  norm?: NormParameters<T>;
  /** 3 x 3 */
  convolution: ConvolutionParameters<T>;
}

export interface ConvolutionalParameters<T = Tensor> {
  levels: LevelParameters<T>[];
}

export function convolutionalSpec({ channels }: ConvolutionalConfig): ConvolutionalParameters<ParameterSpec> {
  const levels = channels.map((outputs, i): LevelParameters<ParameterSpec> => {
    const inputs = channels[i - 1] ?? 3;
    // He et al. 2015: what comes out of a level is as large as what goes in.
    const filters = convolutionSpec({ inputs, outputs, std: Math.sqrt(2 / (9 * inputs)) });
    return { ...(i > 0 ? { norm: normSpec(inputs) } : {}), convolution: filters };
  });
  return { levels };
}

/**
 * Pictures [batch, side, side, 3] in [-1, 1] -> [batch, channels of the last level]. The first level keeps the side. What the mean is
 * taken of is not normed: a norm over the whole picture would leave little of it.
 */
export function convolutionalFeatures(p: ConvolutionalParameters, images: Tensor): Tensor {
  const deep = p.levels.reduce((x, { norm, convolution: filters }, i) => {
    const active = norm ? normSilu(norm, x, { groups: x.shape[3] / CHANNELS_OF_GROUP }) : x;
    return convolution(filters, active, { stride: i === 0 ? 1 : 2, padding: 1 });
  }, images);
  return deep.silu().mean([1, 2]);
}
