/** @file The networks that judge pictures: their training, their folders, and what they say. */
export {
  type ClassifierConfig,
  type DualEncoderConfig,
  type EncoderConfig,
  encoderConfigSchema,
  type NetworkConfig,
  networkSchema,
} from './config.js';
export { contrastiveLoss, similarityScale, unitLength } from './contrastive-loss.js';
export { encoderSpec } from './networks.js';
export { classifierObjective, dualEncoderObjective } from './objectives.js';
export {
  type DualEncoder,
  type ImageClassifier,
  type ImageEncoder,
  type OpenEncoderOptions,
  openDualEncoder,
  openImageClassifier,
  openImageEncoder,
} from './open-encoder.js';
export {
  type ClassificationScores,
  describeEvaluatorScores,
  type EvaluatorScores,
  type RetrievalScores,
  scoreClassifier,
  scoreEncoder,
  scoreRetrieval,
} from './scores.js';
export { readEncoder, readEncoderConfig, readEncoderFiles, type StoredEncoder } from './stored-encoder.js';
export {
  type EvaluatorImages,
  type EvaluatorSession,
  type EvaluatorTask,
  type EvaluatorTaskOptions,
  evaluatorTask,
  openEvaluatorSession,
} from './task.js';
export {
  type EvaluatorTrainingConfig,
  type EvaluatorTrainingInput,
  evaluatorDataFields,
  evaluatorFields,
  evaluatorTrainingConfig,
} from './training-config.js';
