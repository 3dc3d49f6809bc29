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
export { chameleonObjective, type ImageTargets } from './chameleon/objective.js';
export { compileAccumulate, compileLosses, compileStep, compileUpdate, type StepOptions } from './compile-step.js';
export { asDivergence } from './diverged.js';
export { type InPartsOptions, inParts, spread } from './in-parts.js';
export {
  type DocumentPictures,
  documentPictures,
  type NamedPicture,
  picturesOfTheirOwn,
} from './latents/document-pictures.js';
export { encodeVariants, type Picture } from './latents/picture-latents.js';
export { pictureViews } from './latents/picture-views.js';
export { LatentMeter, type LatentStatistics, withoutScale, withScale } from './latents/statistics.js';
export {
  fittedLearningRate,
  learningRateAdvice,
  type RunLength,
  runLearningRate,
  runLearningRateSchema,
} from './learning-rate.js';
export { type Progress, type TrainingSinks, type TrainOptions, type TrainResult, train } from './loop.js';
export type { ModelFiles, NamedTensor } from './model-files.js';
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
export { describeMemory, mebibytes, type PlanOptions, planRun, type RunPlan, type StepPlan } from './plan-step.js';
export { profileSteps, type StepsProfile } from './profile-steps.js';
export { assignOwners, ownedLoads } from './ranks/owners.js';
export type { RankPlace } from './ranks/rank-group.js';
export type { SessionRanks } from './ranks/session-ranks.js';
export { BINDING_LIMITS, unbindable } from './scale/binding-limits.js';
export { type DilocoCost, type DilocoOptions, dilocoCost } from './scale/diloco.js';
export {
  bucketLoads,
  type ExchangeOptions,
  exchangeHostBytes,
  exchangeSeconds,
  type StepTraffic,
  stepTraffic,
} from './scale/exchange.js';
export type { Pressure } from './scale/pressures.js';
export { type RankMemory, type RankMemoryOptions, rankMemories } from './scale/rank-memory.js';
export { type RankMachine, type ScaleOptions, type ScalePlan, scalePlan } from './scale/scale-plan.js';
export { type SizedBuffer, type StepNeeds, stepNeeds } from './scale/step-needs.js';
export { type Machine, type StepTime, type StepTimeOptions, stepTime } from './scale/step-time.js';
export {
  checkRanks,
  openState,
  type ResumePoint,
  type TrainingSession,
  type TrainingTask,
} from './session.js';
export { heldOutFields } from './split.js';
export type { ProgramProfile } from './step-programs.js';
export {
  createStepRunner,
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
export { type BaseModel, configOfBase, type LoraConfig, trainedSpec } from './transfusion/base-model.js';
export { batchShape, type DocumentSize, documentSize, exampleSize } from './transfusion/batch-shape.js';
export { type BatchSource, createBatchSource, type EvaluationBatch } from './transfusion/batches.js';
export { fitCaptions } from './transfusion/caption-lengths.js';
export {
  checkTransfusionFields,
  type TransfusionTrainingConfig,
  type TransfusionTrainingInput,
  tokenizerFields,
  transfusionDataFields,
  transfusionFields,
  transfusionTrainingConfig,
} from './transfusion/config.js';
export { type AskedEdit, type EditScores, scoreEdits } from './transfusion/edit-scores.js';
export type {
  DocumentExample,
  Example,
  Split,
  StreamedExample,
  StreamedExamples,
  TrainingDocument,
  TrainingExample,
} from './transfusion/examples.js';
export { type DrawnExample, drawExamples, scoreCaptions, scoreDrawings } from './transfusion/generation-scores.js';
export { evaluateHeldOut } from './transfusion/held-out.js';
export { modelConfigOf, patchSizeOf } from './transfusion/model-config.js';
export {
  type BatchShape,
  batchInputs,
  type TransfusionInputs,
  type TransfusionObjectiveOptions,
  transfusionObjective,
} from './transfusion/objective.js';
export { objectiveOf } from './transfusion/objective-of.js';
export {
  openTransfusionSession,
  type TransfusionSession,
  type TransfusionSessionOptions,
  viewsOfTask,
} from './transfusion/session.js';
export {
  latentGrid,
  PIXELS,
  splitExamples,
  splitTogether,
  type TransfusionTask,
  type TransfusionTaskOptions,
  transfusionTask,
} from './transfusion/task.js';
export {
  type LikelihoodTexts,
  type TextLikelihood,
  type TextLikelihoodSession,
  textLikelihoods,
} from './transfusion/text-likelihood.js';
export { type TextRow, textRows, textsOfRows } from './transfusion/text-rows.js';
export {
  lossByTimestep,
  type TimestepLoss,
  type TimestepLossOptions,
  type TimestepLossSession,
} from './transfusion/timestep-losses.js';
