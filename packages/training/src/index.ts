/** @file @transfusion/training: trains Transfusion models and autoencoders, in Node, in a browser tab, wherever there is a backend. */

export {
  type AutoencoderTrainingConfig,
  type AutoencoderTrainingInput,
  autoencoderConfigOf,
  autoencoderDataFields,
  autoencoderFields,
  autoencoderLossFields,
  autoencoderTrainingConfig,
} from './autoencoder/config.js';
export { type ImageQuality, imageQuality, psnrOf } from './autoencoder/image-quality.js';
export { type AutoencoderObjectiveOptions, autoencoderObjective } from './autoencoder/objective.js';
export { type AutoencoderScores, describeScores, reconstruct, scoreAutoencoder } from './autoencoder/scores.js';
export {
  type AutoencoderSession,
  type AutoencoderTask,
  type AutoencoderTaskOptions,
  autoencoderTask,
  openAutoencoderSession,
  splitImages,
} from './autoencoder/task.js';
export { compileAccumulate, compileLosses, compileStep, compileUpdate, type StepOptions } from './compile-step.js';
export { asDivergence } from './diverged.js';
export { type InPartsOptions, inParts, spread } from './in-parts.js';
export { encodeVariants } from './latents/picture-latents.js';
export { LatentMeter, type LatentStatistics, withoutScale, withScale } from './latents/statistics.js';
export {
  fittedLearningRate,
  learningRateAdvice,
  type RunLength,
  runLearningRate,
  runLearningRateSchema,
} from './learning-rate.js';
export { type Progress, type TrainingSinks, type TrainOptions, type TrainResult, train } from './loop.js';
export {
  type BatchArrays,
  type BatchTensors,
  type Objective,
  type ObjectiveLosses,
  type ObjectiveVariables,
  type Phase,
  phaseAt,
  type TracedState,
  type Upkeep,
} from './objective.js';
export {
  emaDecayAt,
  emaSchema,
  type Optimisation,
  optimizerFields,
  seedSchema,
  stepOptionsOf,
} from './optimisation.js';
export { describeMemory, mebibytes, planRun, type RunPlan, type StepPlan } from './plan-step.js';
export { profileSteps, type StepsProfile } from './profile-steps.js';
export {
  type ModelFiles,
  type NamedTensor,
  openState,
  type ResumePoint,
  type TrainingSession,
  type TrainingTask,
} from './session.js';
export { heldOutFields } from './split.js';
export {
  createStepRunner,
  type ProgramProfile,
  type StepResult,
  type StepRunner,
  type StepRunnerOptions,
} from './step-runner.js';
export {
  checkStateValues,
  createTrainState,
  destroyTrainState,
  initialValues,
  type StateValues,
  type TrainState,
} from './train-state.js';
export { batchShape, type DocumentSize, documentSize, exampleSize } from './transfusion/batch-shape.js';
export { type BatchSource, createBatchSource, type EvaluationBatch } from './transfusion/batches.js';
export { fitCaptions } from './transfusion/caption-lengths.js';
export {
  type TransfusionTrainingConfig,
  type TransfusionTrainingInput,
  tokenizerFields,
  transfusionDataFields,
  transfusionFields,
  transfusionTrainingConfig,
} from './transfusion/config.js';
export type {
  DocumentExample,
  Example,
  Split,
  TrainingDocument,
  TrainingExample,
} from './transfusion/examples.js';
export { type DrawnExample, scoreCaptions, scoreDrawings } from './transfusion/generation-scores.js';
export { evaluateHeldOut } from './transfusion/held-out.js';
export { modelConfigOf } from './transfusion/model-config.js';
export {
  type BatchShape,
  batchInputs,
  type TransfusionInputs,
  type TransfusionObjectiveOptions,
  transfusionObjective,
} from './transfusion/objective.js';
export {
  latentGrid,
  openTransfusionSession,
  PIXELS,
  splitExamples,
  type TransfusionSession,
  type TransfusionSessionOptions,
  type TransfusionTask,
  type TransfusionTaskOptions,
  transfusionTask,
} from './transfusion/task.js';
export { type TextRow, textRows } from './transfusion/text-rows.js';
