/**
 * @file What convolutional encoders and decoders are built of: residual blocks with group norm and SiLU, halving and doubling.
 * Their names are diffusers' (`ResnetBlock2D`, `Downsample2D`, `Upsample2D`).
 */
import { type Tensor, upsampleNearest } from '@transfusion/tensor';
import {
  type ConvolutionParameters,
  convolution,
  convolutionSpec,
  type GroupNormOptions,
  groupNorm,
  type NormParameters,
  normSpec,
} from './convolution.js';
import { type LinearParameters, linear, linearSpec } from './layers.js';
import type { ParameterSpec } from './parameters.js';

/** Filters are [height, width, inputs, outputs]. */
export interface ResnetParameters<T = Tensor> {
  norm1: NormParameters<T>;
  conv1: ConvolutionParameters<T>;
  /** Of the timestep's embedding, where there is one. */
  time_emb_proj?: LinearParameters<T>;
  norm2: NormParameters<T>;
  conv2: ConvolutionParameters<T>;
  /** 1x1, where the number of channels changes. */
  conv_shortcut?: ConvolutionParameters<T>;
}

/** A convolution that halves or doubles. */
export interface SamplerParameters<T = Tensor> {
  conv: ConvolutionParameters<T>;
}

export interface DownBlockParameters<T = Tensor> {
  resnets: ResnetParameters<T>[];
  /** One, at every level but the last. */
  downsamplers?: SamplerParameters<T>[];
}

export interface UpBlockParameters<T = Tensor> {
  resnets: ResnetParameters<T>[];
  /** One, at every level but the last. */
  upsamplers?: SamplerParameters<T>[];
}

/** `count` blocks after one another: the first changes the number of channels. */
export function resnetSpecs(count: number, inputs: number, outputs: number): ResnetParameters<ParameterSpec>[] {
  return Array.from({ length: count }, (_, i) => resnetSpec(i === 0 ? inputs : outputs, outputs));
}

/** @param time width of the timestep's embedding; without: none enters */
export function resnetSpec(inputs: number, outputs: number, time?: number): ResnetParameters<ParameterSpec> {
  return {
    norm1: normSpec(inputs),
    conv1: convolutionSpec({ inputs, outputs }),
    time_emb_proj: time ? linearSpec({ inputs: time, outputs, std: 1 / Math.sqrt(3 * time) }) : undefined,
    norm2: normSpec(outputs),
    conv2: convolutionSpec({ inputs: outputs, outputs }),
    conv_shortcut: inputs === outputs ? undefined : convolutionSpec({ inputs, outputs, kernel: 1 }),
  };
}

export function samplerSpec(channels: number): SamplerParameters<ParameterSpec> {
  return { conv: convolutionSpec({ inputs: channels, outputs: channels }) };
}

/** Group norm and SiLU, before every 3x3 convolution but the first. */
export function normSilu(p: NormParameters, x: Tensor, norm: GroupNormOptions): Tensor {
  return groupNorm(p, x, norm).silu();
}

/**
 * x + conv(silu(norm(conv(silu(norm(x))) + linear(silu(time))))); a 1x1 convolution of x where the number of channels changes.
 *
 * @param time the timestep's embedding, [batch, width], for a block that has a layer for it
 */
export function resnet(p: ResnetParameters, x: Tensor, norm: GroupNormOptions, time?: Tensor): Tensor {
  const convolved = convolution(p.conv1, normSilu(p.norm1, x, norm), { padding: 1 });
  const hidden = p.time_emb_proj && time ? convolved.add(timeShift(p.time_emb_proj, time)) : convolved;
  const residual = convolution(p.conv2, normSilu(p.norm2, hidden, norm), { padding: 1 });
  return (p.conv_shortcut ? convolution(p.conv_shortcut, x) : x).add(residual);
}

/** What the timestep adds to every position: [batch, 1, 1, channels]. */
function timeShift(p: LinearParameters, time: Tensor): Tensor {
  const shift = linear(p, time.silu());
  const [batch, channels] = shift.shape;
  return shift.reshape([batch, 1, 1, channels]);
}

/** Stride 2, with a row and a column of zeros below and to the right only. */
export function downsample(p: SamplerParameters, x: Tensor): Tensor {
  return convolution(p.conv, x, { stride: 2, padding: { bottom: 1, right: 1 } });
}

/** Every pixel doubled, then a convolution. */
export function upsample(p: SamplerParameters, x: Tensor): Tensor {
  return convolution(p.conv, upsampleNearest(x, 2), { padding: 1 });
}

/** Residual blocks, then halving: [B, H, W, ...] to [B, H / 2, W / 2, ...], or to the same at the last level. */
export function downBlock(
  { resnets, downsamplers = [] }: DownBlockParameters,
  x: Tensor,
  norm: GroupNormOptions,
): Tensor {
  const y = resnets.reduce((each, p) => resnet(p, each, norm), x);
  return downsamplers.reduce((each, p) => downsample(p, each), y);
}

/** Residual blocks, then doubling: [B, H, W, ...] to [B, 2 H, 2 W, ...], or to the same at the last level. */
export function upBlock({ resnets, upsamplers = [] }: UpBlockParameters, x: Tensor, norm: GroupNormOptions): Tensor {
  const y = resnets.reduce((each, p) => resnet(p, each, norm), x);
  return upsamplers.reduce((each, p) => upsample(p, each), y);
}
