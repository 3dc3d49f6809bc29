/** @file The parameters of a Transfusion model: a tree whose paths are the names in the checkpoint. */
import {
  type LinearParameters,
  linearSpec,
  type ParameterSpec,
  type SwigluParameters,
  swigluSpec,
  vector,
  weight,
} from '@transfusion/nn';
import type { Tensor } from '@transfusion/tensor';
import { feedForwardWidth, type ModelConfig } from './config.js';

export interface AttentionParameters<T = Tensor> {
  /** [heads * headDim, channels] */
  query: T;
  /** [kvHeads * headDim, channels] */
  key: T;
  /** [kvHeads * headDim, channels] */
  value: T;
  /** [channels, heads * headDim] */
  output: T;
  /** [headDim], with `qkNorm` only. */
  queryNorm?: T;
  keyNorm?: T;
}

export interface BlockParameters<T = Tensor> {
  attentionNorm: T;
  attention: AttentionParameters<T>;
  feedForwardNorm: T;
  feedForward: SwigluParameters<T>;
}

export interface TransfusionParameters<T = Tensor> {
  /** [vocabulary, channels] */
  tokenEmbedding: T;
  /** Sinusoid -> channels -> channels, SiLU between. */
  timestepEmbedding: { first: LinearParameters<T>; second: LinearParameters<T> };
  /** Patch values -> channels. */
  patchIn: LinearParameters<T>;
  blocks: BlockParameters<T>[];
  norm: T;
  /** [vocabulary, channels]; not tied to the embedding. */
  languageHead: T;
  /** Channels -> patch values. */
  patchOut: LinearParameters<T>;
}

/** Shapes and initialisers. The prediction head starts at zero, so an untrained model predicts zero noise. */
export function transfusionSpec(config: ModelConfig): TransfusionParameters<ParameterSpec> {
  const { channels, vocabularySize, patchValues, timestepDimensions, initializerStd: std } = config;
  return {
    tokenEmbedding: weight([vocabularySize, channels], std),
    timestepEmbedding: {
      first: linearSpec({ inputs: timestepDimensions, outputs: channels, std }),
      second: linearSpec({ inputs: channels, outputs: channels, std }),
    },
    patchIn: linearSpec({ inputs: patchValues, outputs: channels, std: 1 / Math.sqrt(patchValues) }),
    blocks: Array.from({ length: config.layers }, () => blockSpec(config)),
    norm: vector(channels, 1),
    languageHead: weight([vocabularySize, channels], std),
    patchOut: linearSpec({ inputs: channels, outputs: patchValues, std: 0 }),
  };
}

function blockSpec(config: ModelConfig): BlockParameters<ParameterSpec> {
  const { channels, heads, layers, initializerStd: std, qkNorm } = config;
  const headDim = channels / heads;
  const kvChannels = (config.kvHeads ?? heads) * headDim;
  // Projections into the residual stream start smaller, by the number of them (GPT-2).
  const outputStd = std / Math.sqrt(2 * layers);
  return {
    attentionNorm: vector(channels, 1),
    attention: {
      query: weight([channels, channels], std),
      key: weight([kvChannels, channels], std),
      value: weight([kvChannels, channels], std),
      output: weight([channels, channels], outputStd),
      ...(qkNorm ? { queryNorm: vector(headDim, 1), keyNorm: vector(headDim, 1) } : {}),
    },
    feedForwardNorm: vector(channels, 1),
    feedForward: swigluSpec({ channels, hidden: feedForwardWidth(config), std, outputStd }),
  };
}
