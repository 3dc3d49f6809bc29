/** @file @transfusion/sampler: text and images out of a trained model. `generate.ts` is the paper's decoding algorithm. */

export {
  diffusionConfigSchema,
  type SchedulerName,
  samplingDefaultsSchema,
  schedulerNames,
} from '@transfusion/schedulers';
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
  type ImageLayout,
  imageConfigSchema,
  imageLayout,
  objectiveOptions,
  type PipelineConfig,
  type PipelineConfigInput,
  pipelineConfigSchema,
} from './config.js';
export type { DrawImagesOptions, DrawingProgress } from './draw-images.js';
export type { EndReason, GenerateOptions, SamplerEvent } from './generate.js';
export { type ImageSamplingOptions, imageSamplingSchema } from './image-sampling.js';
export { type LoadedModel, loadModel, openModel, readModel, type StoredModel } from './model-folder.js';
export { type NamedTensor, parameterTensors } from './parameter-tensors.js';
export type { SamplerTokenizer } from './pipeline.js';
export type { PromptPart } from './prompt.js';
export { createSampler, type Sampler, type SamplerOptions } from './sampler.js';
