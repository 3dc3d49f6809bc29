/** @file @transfusion/nn: layers, initialisers and optimizers as pure functions over tensors. */

export {
  type ConvolutionParameters,
  convolution,
  convolutionSpec,
  groupNorm,
  leakyRelu,
  type NormParameters,
  normSpec,
  relu,
} from './convolution.js';
export { filterFromStored, filterToStored, storedFilterShape } from './filter-layout.js';
export { gradientTree } from './gradient-tree.js';
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
  createLossScale,
  type LossScale,
  type LossScaleOptions,
  type ScaledStep,
  scaledStep,
} from './loss-scale.js';
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
  isParameterSpec,
  ParameterSpec,
  vector,
  weight,
} from './parameters.js';
export {
  type DownBlockParameters,
  downBlock,
  downsample,
  type GroupNormOptions,
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
