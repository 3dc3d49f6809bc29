/** @file @transfusion/sampler: text and images out of a trained model. `generate.ts` is the paper's decoding algorithm. */

export {
  diffusionConfigSchema,
  type SchedulerName,
  samplingDefaultsSchema,
  schedulerNames,
} from '@transfusion/schedulers';
export {
  type AdaptedModel,
  mergeAdapters,
  type ReadAdapterOptions,
  readAdapterFiles,
  type StoredAdapter,
  unmergeAdapters,
} from './adapter-folder.js';
export {
  ADAPTER_CONFIG,
  ADAPTER_WEIGHTS,
  type AdapterConfig,
  type AdapterFiles,
  adapterConfigSchema,
  adapterFiles,
  parseTensorName,
} from './adapter-format.js';
export type { CaptionImagesOptions } from './caption-images.js';
export {
  greedyToken,
  sampleToken,
  type TextSampling,
  type TextSamplingOptions,
  type TokenProbability,
  textSamplingSchema,
  tokenDistribution,
} from './choose-token.js';
export {
  defaultImageSize,
  HUB_IDENTITY,
  type ImageLayout,
  imageCodes,
  imageConfigSchema,
  imageLayout,
  imageSizes,
  objectiveOptions,
  type PipelineConfig,
  type PipelineConfigInput,
  pipelineConfigSchema,
  textVocabularySize,
  upgradedConfig,
} from './config.js';
export type { DrawImagesOptions } from './draw-images.js';
export type { DrawingProgress } from './draw-prompts.js';
export type { EditImagesOptions } from './edit-images.js';
export type { EndReason, GenerateOptions, SamplerEvent } from './generate.js';
export { announcingTokens } from './image-formats.js';
export { type ImageSamplingOptions, imageSamplingSchema } from './image-sampling.js';
export { completeImageSampling } from './image-steps.js';
export type { PixelMask, SourceOptions } from './image-to-image.js';
export {
  type AdapterSource,
  type LoadedModel,
  loadModel,
  openModel,
  type ReadModelOptions,
  readModel,
  type StoredModel,
} from './model-folder.js';
export { checkFinite, checkTensorShapes, type NamedTensor, parameterTensors } from './parameter-tensors.js';
export type { SamplerTokenizer } from './pipeline.js';
export { chunks as drawingBatches } from './pipeline.js';
export {
  type DrawingSettings,
  drawingSettingsSchema,
  encodeDrawing,
  type ModelHashes,
  modelHashesSchema,
  readDrawing,
} from './png-settings.js';
export type { PromptPart } from './prompt.js';
export { createSampler, type Sampler, type SamplerOptions } from './sampler.js';
