/** @file Model folders of the disk, of one version also while training replaces it. */
import { isAbsolute } from 'node:path';
import { type FolderReader, openCheckpoint } from '@transfusion/checkpoint/node';
import { TransfusionError } from '@transfusion/core';
import type { Backend } from '@transfusion/tensor';
import {
  isAdapterFolder,
  type ReadAdapterOptions,
  readAdapterConfig,
  readAdapterFiles,
  type StoredAdapter,
} from '../adapter-folder.js';
import type { PipelineConfig } from '../config.js';
import { type LoadedModel, loadModel, readConfig, readModelFiles, type StoredModel } from '../model-folder.js';

/** A LoRA's folder on the disk. */
export interface AdapterPath extends Pick<ReadAdapterOptions, 'strength'> {
  path: string;
}

/**
 * Reads and checks a model folder: all of it of one version, also while training replaces it. Of a LoRA's folder, it is the model
 * that its `adapter_config.json` names, and the LoRA.
 *
 * @param options.adapters LoRAs to use with it; they add up
 * @throws as `readModel`; TransfusionError LORA_NO_MODEL: a LoRA's folder does not say of which model it is, or that one is not there
 */
export async function readModelFolder(
  path: string,
  { adapters = [] }: { adapters?: readonly AdapterPath[] } = {},
): Promise<StoredModel> {
  const { base, adapters: all } = await withOwnAdapter(path, adapters);
  const model = await openBase(path, base, readModelFiles);
  const stored: StoredAdapter[] = [];
  for (const { path, strength } of all) stored.push(await readAdapterFolder(path, model, { strength }));
  return stored.length > 0 ? { ...model, adapters: stored } : model;
}

/** Reads a LoRA's folder for a model. @throws as `readAdapterFiles` */
export function readAdapterFolder(
  path: string,
  model: StoredModel,
  options: ReadAdapterOptions = {},
): Promise<StoredAdapter> {
  return openCheckpoint(path, (folder) => readAdapterFiles(folder, model, options));
}

/** The configuration of a model folder alone. @throws as `readModel` */
export function readModelConfig(path: string): Promise<PipelineConfig> {
  return openCheckpoint(path, readConfig);
}

/** The folder that the weights of `path` are in: itself, or of a LoRA's folder that of its model; and what is added to them. */
export async function withOwnAdapter(
  path: string,
  adapters: readonly AdapterPath[],
): Promise<{ base: string; adapters: readonly AdapterPath[] }> {
  const base = await baseOf(path);
  return base === undefined ? { base: path, adapters } : { base, adapters: [{ path }, ...adapters] };
}

/** The model folder that a LoRA's names; undefined where it is no LoRA's. */
async function baseOf(path: string): Promise<string | undefined> {
  const config = await openCheckpoint(path, async (folder) => {
    const isAdapter = !(await folder.has('config.json')) && (await isAdapterFolder(folder));
    return isAdapter ? readAdapterConfig(folder) : undefined;
  });
  if (!config) return undefined;
  if (config.base_model_name_or_path) return config.base_model_name_or_path;
  throw new TransfusionError({
    code: 'LORA_NO_MODEL',
    message: `${path} is a LoRA, and its adapter_config.json does not say of which model (base_model_name_or_path)`,
    fix: besideItsModel(path),
  });
}

/**
 * Opens the model folder `base` that `path` stands for: itself, or the one that it names as a LoRA.
 *
 * @throws TransfusionError LORA_NO_MODEL: what a LoRA names is not there; else as `openCheckpoint`
 */
export async function openBase<Result>(
  path: string,
  base: string,
  read: (folder: FolderReader) => Promise<Result>,
): Promise<Result> {
  try {
    return await openCheckpoint(base, read);
  } catch (error) {
    if (base === path || !TransfusionError.isInstance(error) || error.code !== 'CHECKPOINT_MISSING') throw error;
    const seenFrom = isAbsolute(base) ? '' : `, as seen from ${process.cwd()}`;
    throw new TransfusionError({
      code: 'LORA_NO_MODEL',
      message: `${path} is a LoRA of ${base}, where there is no model now${seenFrom} (base_model_name_or_path in its adapter_config.json)`,
      fix: besideItsModel(path),
      cause: error,
    });
  }
}

function besideItsModel(adapter: string): string {
  return `give the folder of the model that it was trained on, and this one as its LoRA: --model BASE --lora ${adapter}, or \`adapters\` of the library`;
}

/**
 * `readModelFolder` and `loadModel`.
 *
 * @throws as these
 */
export async function openModelFolder(
  path: string,
  backend: Backend,
  options: { adapters?: readonly AdapterPath[] } = {},
): Promise<LoadedModel> {
  return loadModel(await readModelFolder(path, options), backend);
}
