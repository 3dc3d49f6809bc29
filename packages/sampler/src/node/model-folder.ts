/** @file Model folders of the disk, of one version also while training replaces it. */
import { openCheckpoint } from '@transfusion/checkpoint/node';
import type { Backend } from '@transfusion/tensor';
import { type LoadedModel, loadModel, readModelFiles, type StoredModel } from '../model-folder.js';

/**
 * Reads and checks a model folder: all of it of one version, also while training replaces it.
 *
 * @throws as `readModel`
 */
export async function readModelFolder(path: string): Promise<StoredModel> {
  return openCheckpoint(path, readModelFiles);
}

/**
 * `readModelFolder` and `loadModel`.
 *
 * @throws as these
 */
export async function openModelFolder(path: string, backend: Backend): Promise<LoadedModel> {
  return loadModel(await readModelFolder(path), backend);
}
