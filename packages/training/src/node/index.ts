/** @file @transfusion/training/node: the folders of runs and of latents. */
export { type EncodeOptions, type EncodeResult, encodeLatents } from './encode-latents.js';
export {
  changedData,
  checkSameShards,
  type Fingerprint,
  fingerprintOf,
  fingerprintSchema,
  streamedFingerprint,
} from './fingerprint.js';
export { LATENTS_FILE, type LatentsFile, latentsFileSchema, networkOf } from './latents-format.js';
export { openRun, type RunKind, refuseCheckpoint, STATE_FILE } from './open-run.js';
export { foreignLatents, readLatents, readLatentsFile, readScaledLatents } from './read-latents.js';
export { runFiles } from './run-files.js';
export {
  autoencoderStateSchema,
  type LoadedAutoencoderRun,
  type LoadedRun,
  type LoadedTransfusionRun,
  loadAutoencoderRun,
  loadTransfusionRun,
  type RunBase,
  type RunRecord,
  readNamedRun,
  runFolderSinks,
  saveRun,
  type TrainerState,
} from './run-folder.js';
