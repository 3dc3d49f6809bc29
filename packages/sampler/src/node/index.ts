/** @file @transfusion/sampler/node: model folders on disk. */

export { type LoadedModel, loadModel, type StoredModel } from '../model-folder.js';
export { type NamedTensor, parameterTensors } from '../parameter-tensors.js';
export { findModelFolder, packagedModel } from './find-model.js';
export {
  type AdapterPath,
  openModel,
  openModelFolder,
  type ReadFolderOptions,
  readAdapterFolder,
  readModelConfig,
  readModelFolder,
} from './model-folder.js';
export { readHashedModelFolder } from './model-hashes.js';
