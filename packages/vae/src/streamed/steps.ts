/**
 * @file Encoder and decoder, cut where every group norm needs the statistics of a whole image. Between two cuts stands one
 * convolution, which can be computed tile by tile; the coarsest level, with its attention, is small and stays whole.
 */
import {
  type ConvolutionParameters,
  convolution,
  type NormParameters,
  type ResnetParameters,
  type SamplerParameters,
} from '@transfusion/nn';
import { concat, type Tensor, type Variable } from '@transfusion/tensor';
import { convolveLast, midBlock } from '../autoencoder/blocks.js';
import type { DecoderParameters, EncoderParameters } from '../autoencoder/parameters.js';
import { posteriorOf } from '../autoencoder/posterior.js';

/** conv(sample(silu(norm(x)))) + shortcut(kept), with a 3x3 filter. */
export interface ConvolutionStep {
  kind: 'convolution';
  /** For messages and profiles. */
  name: string;
  conv: ConvolutionParameters<Variable>;
  /** Group norm and SiLU beforehand. */
  norm?: NormParameters<Variable>;
  /** 'down': stride 2; 'up': every pixel doubled beforehand. */
  sampling: 'same' | 'down' | 'up';
  /** Whether the step's input is added by a later step. */
  keepsInput?: boolean;
  /** Adds what was kept, through a 1x1 convolution if there is one. */
  addsKept?: { shortcut?: ConvolutionParameters<Variable> };
}

/** A function of a whole map, [1, height, width, channels] to [1, height, width, output channels]. */
export interface WholeStep {
  kind: 'whole';
  name: string;
  state: unknown;
  channels: number;
  // The state's tree is the function's own.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  fn: (x: Tensor, state: any) => Tensor;
}

export type Step = ConvolutionStep | WholeStep;

/** Images to moments (mean and log variance, with `posterior`) or to vectors. */
export function encoderSteps(options: {
  p: EncoderParameters<Variable>;
  quantConv?: ConvolutionParameters<Variable>;
  groups: number;
  posterior: boolean;
}): Step[] {
  const { p, quantConv, groups, posterior } = options;
  const { mid_block, conv_norm_out, conv_out } = p;
  return [
    { kind: 'convolution', name: 'conv_in', conv: p.conv_in, sampling: 'same' },
    ...p.down_blocks.flatMap(({ resnets, downsamplers = [] }, level): Step[] => [
      ...resnets.flatMap((each, i) => resnetSteps(`down_blocks.${level}.resnets.${i}`, each)),
      ...downsamplers.map((each) => samplerStep(`down_blocks.${level}.downsampler`, each, 'down')),
    ]),
    {
      ...{ kind: 'whole', name: 'mid_block', channels: (quantConv ?? conv_out).bias.shape[0] },
      state: { mid_block, conv_norm_out, conv_out, quantConv },
      fn: (x, state) => {
        const features = convolveLast(state, midBlock(state.mid_block, x, groups), groups);
        const moments = state.quantConv ? convolution(state.quantConv, features) : features;
        if (!posterior) return moments;
        const { mean, logVariance } = posteriorOf(moments);
        return concat([mean, logVariance], 3);
      },
    },
  ];
}

/** Latents to images. */
export function decoderSteps(options: {
  p: DecoderParameters<Variable>;
  postQuantConv?: ConvolutionParameters<Variable>;
  groups: number;
}): Step[] {
  const { p, postQuantConv, groups } = options;
  const { conv_in, mid_block } = p;
  return [
    {
      ...{ kind: 'whole', name: 'mid_block', channels: conv_in.bias.shape[0] },
      state: { conv_in, mid_block, postQuantConv },
      fn: (x, state) => {
        const latents = state.postQuantConv ? convolution(state.postQuantConv, x) : x;
        return midBlock(state.mid_block, convolution(state.conv_in, latents, { padding: 1 }), groups);
      },
    },
    ...p.up_blocks.flatMap(({ resnets, upsamplers = [] }, level): Step[] => [
      ...resnets.flatMap((each, i) => resnetSteps(`up_blocks.${level}.resnets.${i}`, each)),
      ...upsamplers.map((each) => samplerStep(`up_blocks.${level}.upsampler`, each, 'up')),
    ]),
    { kind: 'convolution', name: 'conv_out', norm: p.conv_norm_out, conv: p.conv_out, sampling: 'same' },
  ];
}

function resnetSteps(name: string, p: ResnetParameters<Variable>): Step[] {
  return [
    { kind: 'convolution', name: `${name}.conv1`, norm: p.norm1, conv: p.conv1, sampling: 'same', keepsInput: true },
    {
      ...{ kind: 'convolution', name: `${name}.conv2`, norm: p.norm2, conv: p.conv2, sampling: 'same' },
      addsKept: { shortcut: p.conv_shortcut },
    },
  ];
}

function samplerStep(name: string, { conv }: SamplerParameters<Variable>, sampling: 'down' | 'up'): Step {
  return { kind: 'convolution', name, conv, sampling };
}
