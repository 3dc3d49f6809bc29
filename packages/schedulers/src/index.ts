export { createScheduler, type SchedulerOptions, schedulerSchema } from './create-scheduler.js';
export { type DdimConfig, type DdimOptions, DdimScheduler, ddimSchema } from './ddim.js';
export { type DdpmConfig, type DdpmOptions, DdpmScheduler, ddpmSchema, posterior } from './ddpm.js';
export { type EulerConfig, type EulerOptions, EulerScheduler, eulerSchema } from './euler.js';
export { guide } from './guidance.js';
export {
  createLearningRate,
  type LearningRateConfig,
  type LearningRateOptions,
  learningRateSchema,
} from './learning-rate.js';
export { minSnrWeight } from './min-snr.js';
export {
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
export {
  type FloatArray,
  Scheduler,
  type SchedulerConfig,
  type StepCoefficients,
  type StepOptions,
  type X0StepCoefficients,
} from './scheduler.js';
export { shiftNoiseLevel, spacedTimesteps, spacingSchema, type TimestepSpacing } from './spacing.js';
