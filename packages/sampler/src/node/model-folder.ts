/** @file Model folders of the disk, of one version also while training replaces it. */
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type FileSource, FolderReader, type Sha256Sums, UrlSource } from '@transfusion/checkpoint';
import { FolderSource, locateFolder, openCheckpoint } from '@transfusion/checkpoint/node';
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
import {
  checkedSource,
  type LoadedModel,
  loadModel,
  readConfig,
  readModel,
  readModelFiles,
  type StoredModel,
} from '../model-folder.js';
import { findModelFolder } from './find-model.js';

/** A LoRA's folder on the disk. */
export interface AdapterPath extends Pick<ReadAdapterOptions, 'strength'> {
  path: string;
}

export interface ReadFolderOptions {
  /** LoRAs to use with it; they add up. */
  adapters?: readonly AdapterPath[];
  /** Check the files of the model, not those of LoRAs, by these hashes, or by its own SHA256SUMS; default false. */
  verify?: boolean | Sha256Sums;
}

/**
 * Reads and checks a model folder: all of it of one version, also while training replaces it. Of a LoRA's folder, it is the model
 * that its `adapter_config.json` names, and the LoRA.
 *
 * @param nameOrPath of a folder, or of an installed package that has a model (`findModelFolder`)
 * @throws as `readModel` and `findModelFolder`; TransfusionError LORA_NO_MODEL: a LoRA's folder does not say of which model it
 *   is, or that one is not there
 */
export async function readModelFolder(
  nameOrPath: string,
  { adapters = [], verify = false }: ReadFolderOptions = {},
): Promise<StoredModel> {
  const path = findModelFolder(nameOrPath);
  const { base, adapters: all } = await withOwnAdapter(path, adapters);
  const model = await openBase(path, base, async (folder) =>
    readModelFiles(verify === false ? folder : await checkedFolder(base, verify)),
  );
  return withAdapters(model, all);
}

/** What is read is what was checked: it is in memory. */
async function checkedFolder(path: string, verify: boolean | Sha256Sums): Promise<FolderReader> {
  return new FolderReader(await checkedSource(new FolderSource(await locateFolder(path), path), verify));
}

async function withAdapters(model: StoredModel, adapters: readonly AdapterPath[]): Promise<StoredModel> {
  const stored: StoredAdapter[] = [];
  for (const { path, strength } of adapters) stored.push(await readAdapterFolder(path, model, { strength }));
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

/** The configuration of a model folder, or of a package by its name, alone. @throws as `readModel` and `findModelFolder` */
export async function readModelConfig(nameOrPath: string): Promise<PipelineConfig> {
  return openCheckpoint(findModelFolder(nameOrPath), readConfig);
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
  if (config.base_model_name_or_path) return findModelFolder(config.base_model_name_or_path);
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
  nameOrPath: string,
  backend: Backend,
  options: ReadFolderOptions = {},
): Promise<LoadedModel> {
  return loadModel(await readModelFolder(nameOrPath, options), backend);
}

/**
 * A model from anywhere, on a backend: by the name of an installed package, such as `@transfusion/emoji-64`; from a folder, by its
 * path or a `file:` address; from a server, by an address that begins with `https:` or `http:`; or from any source.
 *
 * @throws as `readModelFolder`; CheckpointError CHECKPOINT_ARGUMENT for an address of another kind
 */
export async function openModel(
  model: string | URL | FileSource,
  backend: Backend,
  { adapters = [], verify }: ReadFolderOptions = {},
): Promise<LoadedModel> {
  const source = typeof model === 'object' && !(model instanceof URL) ? model : undefined;
  if (source) return loadModel(await withAdapters(await readModel(source, { verify }), adapters), backend);
  const address = String(model);
  if (/^file:/i.test(address)) return openModelFolder(fileURLToPath(address), backend, { adapters, verify });
  if (typeof model === 'string' && !/^https?:/i.test(model))
    return openModelFolder(model, backend, { adapters, verify });
  const server = new UrlSource(address);
  try {
    return await openModel(server, backend, { adapters, verify });
  } finally {
    await server.close();
  }
}
