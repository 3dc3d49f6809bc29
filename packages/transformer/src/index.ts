/** @file @transfusion/transformer: the Transfusion model. Read `model.ts` beside section 3 of the paper. */

export { block, type CacheContext, type LayerCache, type SequenceContext } from './block.js';
export {
  feedForwardWidth,
  llamaFeedForward,
  type ModelConfig,
  type ModelConfigInput,
  type ModelPreset,
  modelConfigSchema,
  modelFields,
  modelPresets,
} from './config.js';
export {
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
  type TransfusionParameters,
  transfusionSpec,
} from './parameters.js';
export { createPatcher, type LatentSize, type Patcher, type PatchVectors, patchify, unpatchify } from './patcher.js';
