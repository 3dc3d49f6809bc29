/** @file @transfusion/schedulers: noise schedules, parameterisations, samplers, learning rates. `plan.ts` is the contract. */

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
export { guide } from './guidance.js';
export {
  createLearningRate,
  type LearningRateConfig,
  type LearningRateOptions,
  learningRateSchema,
} from './learning-rate.js';
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
  EVALUATION_COEFFICIENTS,
  evaluationCoefficients,
  guideInGraph,
  updateSampleInGraph,
} from './update-in-graph.js';
export { initialState, updateSample } from './update-sample.js';
