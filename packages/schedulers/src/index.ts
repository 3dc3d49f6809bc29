/** @file @transfusion/schedulers: noise schedules, parameterisations, samplers, learning rates. `plan.ts` is the contract. */

export { cutPlan, strengthSchema } from './cut-plan.js';
export {
  type DiffusionConfig,
  diffusionConfigSchema,
  diffusionObjective,
  diffusionScheduler,
  type SamplingDefaults,
  type SamplingOptions,
  samplingDefaultsSchema,
  samplingOptionsSchema,
  samplingProblems,
} from './diffusion-config.js';
export type { FloatArray } from './float-array.js';
export {
  type GuidancePlan,
  guidanceOptions,
  guide,
  guideRenormed,
  guideRescaled,
  isGuided,
  planGuidance,
} from './guidance.js';
export { guideInGraph, guideRenormedInGraph, guideRescaledInGraph } from './guidance-in-graph.js';
export {
  createLearningRate,
  type LearningRateConfig,
  type LearningRateOptions,
  learningRateSchema,
} from './learning-rate.js';
export { type LossWeighting, lossWeight, lossWeightFields, weightingProblems } from './loss-weight.js';
export { minSnrWeight } from './min-snr.js';
export {
  addNoise,
  cosineBetas,
  createNoiseSchedule,
  type NoiseLevel,
  type NoiseSchedule,
  type NoiseScheduleConfig,
  type NoiseScheduleOptions,
  noiseScheduleSchema,
  signalToNoiseRatio,
} from './noise-schedule.js';
export {
  createObjective,
  type Objective,
  type ObjectiveConfig,
  type ObjectiveOptions,
  objectiveSchema,
} from './objective.js';
export {
  conversionCoefficients,
  convertPrediction,
  errorScale,
  type Parameterisation,
  type PredictionCoefficients,
  parameterisationSchema,
  type TargetCoefficients,
  targetCoefficients,
} from './parameterisation.js';
export type { Evaluation, NextCoefficients, SampleState, SamplingPlan, X0Coefficients } from './plan.js';
export { posterior } from './samplers/ddpm.js';
export type { SamplerConfig, SamplerDefinition, SamplerRun } from './samplers/definition.js';
export {
  createScheduler,
  type Scheduler,
  type SchedulerName,
  type SchedulerOptions,
  type StepOption,
  schedulerNames,
  schedulerSchema,
  stepOptionsOf,
} from './scheduler.js';
export { shiftedTimesteps, shiftNoiseLevel, spacedTimesteps, spacingSchema, type TimestepSpacing } from './spacing.js';
export {
  noiseFractionCdf,
  type TimestepDistribution,
  type TimestepQuantile,
  timestepDistributionSchema,
  timestepQuantile,
} from './timestep-distribution.js';
export {
  EVALUATION_COEFFICIENTS,
  evaluationCoefficients,
  keepKnownInGraph,
  updateSampleInGraph,
} from './update-in-graph.js';
export { initialState, updateSample } from './update-sample.js';
