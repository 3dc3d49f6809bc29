/** @file The parameters of a Transfusion model: a tree whose paths are the names in the checkpoint. */
import {
  type LinearParameters,
  type LinearWeight,
  linearSpec,
  linearWeight,
  type ParameterSpec,
  type SwigluParameters,
  swigluSpec,
  vector,
  weight,
} from '@transfusion/nn';
import type { MapTree, Tensor, Variable } from '@transfusion/tensor';
import { diffusesImages, feedForwardWidth, type ModelConfig } from './config.js';
import { type PatcherParameters, patcherSpec } from './patchers/create-patcher.js';

export interface AttentionParameters<T = Tensor> {
  /** [heads * headDim, channels] */
  query: LinearWeight<T>;
  /** [kvHeads * headDim, channels] */
  key: LinearWeight<T>;
  /** [kvHeads * headDim, channels] */
  value: LinearWeight<T>;
  /** [channels, heads * headDim] */
  output: LinearWeight<T>;
  /** [headDim], with `qkNorm` only. */
  queryNorm?: T;
  keyNorm?: T;
}

export interface BlockParameters<T = Tensor> {
  attentionNorm: T;
  attention: AttentionParameters<T>;
  feedForwardNorm: T;
  feedForward: SwigluParameters<T>;
  /**
   * Of patches, with `feedForwards: 'per-modality'` only. Both are behind the one norm: a gain of its own would add nothing
   * that `gate` and `up` cannot do.
   */
  imageFeedForward?: SwigluParameters<T>;
}

/**
 * With those of the patcher: `patchIn` and `patchOut` of the linear one, `unet`. They and `timestepEmbedding` are there with
 * `images: 'diffusion'` only; without, nothing asks for them (see `forward`).
 */
export interface TransfusionParameters<T = Tensor> extends PatcherParameters<T> {
  /** [vocabulary, channels] */
  tokenEmbedding: T;
  /** Sinusoid -> channels -> channels, SiLU between. */
  timestepEmbedding: { first: LinearParameters<T>; second: LinearParameters<T> };
  blocks: BlockParameters<T>[];
  norm: T;
  /** [vocabulary, channels]; not tied to the embedding. */
  languageHead: LinearWeight<T>;
}

/** Parameters on a backend; linear layers may have adapters. */
export type ModelVariables = MapTree<TransfusionParameters, Tensor, Variable>;

/** Shapes and initialisers. The prediction head starts at zero, so an untrained model predicts zero noise. */
export function transfusionSpec(config: ModelConfig): TransfusionParameters<ParameterSpec> {
  const { channels, vocabularySize, timestepDimensions, initializerStd: std } = config;
  const images = diffusesImages(config);
  const { patchOut, ...patcher } = images ? patcherSpec(config) : ({} as PatcherParameters<ParameterSpec>);
  const spec = {
    tokenEmbedding: weight([vocabularySize, channels], std),
    ...(images && {
      timestepEmbedding: {
        first: linearSpec({ inputs: timestepDimensions, outputs: channels, std }),
        second: linearSpec({ inputs: channels, outputs: channels, std }),
      },
    }),
    ...patcher,
    blocks: Array.from({ length: config.layers }, () => blockSpec(config)),
    norm: vector(channels, 1),
    languageHead: linearWeight([vocabularySize, channels], std),
    // Last, as initial values follow from the order.
    ...(patchOut ? { patchOut } : {}),
  };
  return spec as TransfusionParameters<ParameterSpec>;
}

/** Of one block. */
export function blockSpec(config: ModelConfig): BlockParameters<ParameterSpec> {
  const { channels, heads, layers, initializerStd: std, qkNorm, feedForwards } = config;
  const headDim = channels / heads;
  const kvChannels = (config.kvHeads ?? heads) * headDim;
  // Projections into the residual stream start smaller, by the number of them (GPT-2).
  const outputStd = std / Math.sqrt(2 * layers);
  const feedForward = swigluSpec({ channels, hidden: feedForwardWidth(config), std, outputStd });
  return {
    attentionNorm: vector(channels, 1),
    attention: {
      query: linearWeight([channels, channels], std),
      key: linearWeight([kvChannels, channels], std),
      value: linearWeight([kvChannels, channels], std),
      output: linearWeight([channels, channels], outputStd),
      ...(qkNorm ? { queryNorm: vector(headDim, 1), keyNorm: vector(headDim, 1) } : {}),
    },
    feedForwardNorm: vector(channels, 1),
    feedForward,
    ...(feedForwards === 'per-modality' ? { imageFeedForward: feedForward } : {}),
  };
}
