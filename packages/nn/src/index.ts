/** @file @transfusion/nn: layers, initialisers and optimizers as pure functions over tensors. */

export {
  type ConvolutionParameters,
  convolution,
  convolutionSpec,
  type GroupNormOptions,
  groupNorm,
  leakyRelu,
  type NormParameters,
  normSpec,
  relu,
} from './convolution.js';
export { filterFromStored, filterToStored, storedFilterShape } from './filter-layout.js';
export { gradientTree } from './gradient-tree.js';
export { type ImageAttentionParameters, imageAttention, imageAttentionSpec } from './image-attention.js';
export {
  type LinearParameters,
  linear,
  linearSpec,
  project,
  rmsNorm,
  type SwigluParameters,
  swiglu,
  swigluSpec,
} from './layers.js';
export {
  checkRank,
  type LayerSize,
  type LoraOptions,
  type LoraTargets,
  linearLayers,
  loraSpec,
  targetedLayers,
} from './lora-spec.js';
export {
  createLossScale,
  type LossScale,
  type LossScaleOptions,
  type ScaledStep,
  scaledStep,
} from './loss-scale.js';
export {
  type AdaptedWeight,
  type Adapter,
  type LinearWeight,
  type LowRankParameters,
  layerOf,
  mergedWeight,
  withAdapters,
} from './low-rank.js';
export {
  type AdamWOptions,
  type AdamWUpdate,
  adamwHyper,
  adamwUpdate,
  clipScale,
  emaUpdate,
  globalNorm,
} from './optimizer.js';
export {
  countParameters,
  createParameters,
  type Initialiser,
  initialise,
  initialised,
  isParameterSpec,
  linearWeight,
  ParameterSpec,
  vector,
  weight,
} from './parameters.js';
export {
  type DownBlockParameters,
  downBlock,
  downsample,
  normSilu,
  type ResnetParameters,
  resnet,
  resnetSpec,
  resnetSpecs,
  type SamplerParameters,
  samplerSpec,
  type UpBlockParameters,
  upBlock,
  upsample,
} from './residual-blocks.js';
export { sinusoidalEmbedding, timestepFrequencies } from './timestep-embedding.js';
