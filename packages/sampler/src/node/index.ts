/** @file @transfusion/sampler/node: model folders on disk. */

export { type LoadedModel, loadModel, openModelFolder, readModelFolder, type StoredModel } from './model-folder.js';
export { type NamedTensor, parameterTensors } from './parameter-tensors.js';
