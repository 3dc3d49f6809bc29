/** @file @transfusion/sampler: text and images out of a trained model. `generate.ts` is the paper's decoding algorithm. */

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
  diffusionConfigSchema,
  type ImageLayout,
  imageConfigSchema,
  imageLayout,
  objectiveOptions,
  type PipelineConfig,
  type PipelineConfigInput,
  pipelineConfigSchema,
  samplingDefaultsSchema,
} from './config.js';
export type { DrawImagesOptions } from './draw-images.js';
export type { EndReason, GenerateOptions, SamplerEvent } from './generate.js';
export { type ImageSamplingOptions, imageSamplingSchema } from './image-sampling.js';
export type { SamplerTokenizer } from './pipeline.js';
export type { PromptPart } from './prompt.js';
export { createSampler, type Sampler, type SamplerOptions } from './sampler.js';
