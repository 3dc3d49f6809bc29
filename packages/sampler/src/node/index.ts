/** @file @transfusion/sampler/node: model folders on disk. */

export { type ModelFolder, openModelFolder, readModelFolder, type StoredModel } from './model-folder.js';
export { parameterTensors } from './parameter-tensors.js';
