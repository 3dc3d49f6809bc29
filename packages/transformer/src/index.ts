/** @file @transfusion/transformer: the Transfusion model. Read `model.ts` beside section 3 of the paper. */

export {
  type BlockOptions,
  block,
  type CacheContext,
  type LayerCache,
  type ObservedAttention,
  type SequenceContext,
} from './block.js';
export {
  diffusesImages,
  feedForwardWidth,
  llamaFeedForward,
  type ModelConfig,
  type ModelConfigInput,
  type ModelPreset,
  modelConfigSchema,
  modelFields,
  modelPresets,
  unpatchedProblems,
} from './config.js';
export type { MixedModalities, Modalities, PatchPlaces } from './feed-forward.js';
export {
  type ForwardOptions,
  type ForwardResult,
  forward,
  type ImageGroup,
  languageLogits,
  type PatchedGroup,
  predictLatents,
  type SequenceInputs,
} from './model.js';
export {
  type AttentionParameters,
  type BlockParameters,
  blockSpec,
  type ModelVariables,
  type TransfusionParameters,
  transfusionSpec,
} from './parameters.js';
export {
  type LinearPatcherConfig,
  type PatcherConfig,
  patcherSchema,
  type UnetLevel,
  type UnetPatcherConfig,
  unetLevels,
} from './patchers/config.js';
export { createPatcher, type PatcherParameters } from './patchers/create-patcher.js';
export { type LinearPatcherParameters, patchify, unpatchify } from './patchers/linear.js';
export { paperUnet } from './patchers/paper-unet.js';
export type { LatentSize, Patcher, PatcherSizes, PatchVectors } from './patchers/patcher.js';
export type { UnetBlockParameters, UnetParameters } from './patchers/unet-parameters.js';
export type { RotaryPositions, Rotation } from './rotary-positions.js';
