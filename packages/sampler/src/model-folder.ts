/** @file A model folder: `config.json`, `model.safetensors`, `tokenizer.json`, `vae/` as a model that can be sampled from. */

import {
  CheckpointError,
  type FileSource,
  FolderReader,
  type Sha256Sums,
  verifiedSource,
} from '@transfusion/checkpoint';
import { parseConfig, TransfusionError } from '@transfusion/core';
import { type Adapter, createParameters, withAdapters } from '@transfusion/nn';
import { type Backend, createVariable, flattenTree, isVariable, type Variable } from '@transfusion/tensor';
import { Tokenizer } from '@transfusion/tokenizer';
import { type ModelVariables, transfusionSpec } from '@transfusion/transformer';
import { type ImageCodec, openCodec, type StoredCodec } from '@transfusion/vae';
import { z } from 'zod';
import { isAdapterFolder, readAdapterFiles, type StoredAdapter, scaleOf } from './adapter-folder.js';
import { type PipelineConfig, pipelineConfigSchema, textVocabularySize, upgradedConfig } from './config.js';
import { announcingTokens } from './image-formats.js';
import { checkFinite, checkShapes, type NamedTensor } from './parameter-tensors.js';
import { readStoredCodec } from './stored-codec.js';

/** A model folder in host memory, checked. */
export interface StoredModel {
  config: PipelineConfig;
  /** By parameter path. */
  tensors: Map<string, NamedTensor>;
  tokenizer: Tokenizer;
  /** The autoencoder, its weights as in their file; undefined where `config.codec` is pixels. */
  vae?: StoredCodec;
  /** LoRAs that are used with it; they add up. */
  adapters?: readonly StoredAdapter[];
}

/** A LoRA to use with a model. */
export interface AdapterSource {
  /** Its folder, in PEFT's form. */
  source: FileSource;
  /** How much of it is used: 0 is nothing, 1 (the default) what was trained. */
  strength?: number;
}

export interface ReadModelOptions {
  /** Any number of them; they add up. */
  adapters?: readonly AdapterSource[];
  /** Check the files of the model, not those of adapters, by these hashes, or by the folder's own SHA256SUMS; default false. */
  verify?: boolean | Sha256Sums;
}

/** A model on a backend: what `createSampler` takes. */
export interface LoadedModel {
  config: PipelineConfig;
  parameters: ModelVariables;
  tokenizer: Tokenizer;
  codec: ImageCodec;
  /** Frees the parameters and the codec. */
  dispose(): void;
}

/**
 * Reads and checks a model folder, wherever it is. Sizes are checked before weights are read, unless these are read for their
 * hashes (`verify`).
 *
 * @throws CheckpointError CHECKPOINT_MISSING, CHECKPOINT_FORMAT, CHECKPOINT_CONTENT (also for weights that have NaN or an
 *   infinity), CHECKPOINT_READ_FAILED, CONFIG_INVALID; each names the file, and what the folder is where it is another kind
 *   of model's
 * @throws TransfusionError CODEC_CONFIG, CODEC_FOLDER, CODEC_WEIGHTS for a `vae/` that is no autoencoder, or not this one
 * @throws TokenizerError for a `tokenizer.json` that cannot be used
 * @throws TransfusionError LORA_BASE, LORA_RANK, LORA_TARGETS for a LoRA that is not for this model; LORA_NO_MODEL: the folder is
 *   a LoRA's, not a model's
 */
export async function readModel(
  source: FileSource,
  { adapters = [], verify = false }: ReadModelOptions = {},
): Promise<StoredModel> {
  const model = await readModelFiles(new FolderReader(await checkedSource(source, verify)));
  const stored: StoredAdapter[] = [];
  for (const { source, strength } of adapters) {
    stored.push(await readAdapterFiles(new FolderReader(source), model, { strength }));
  }
  return stored.length > 0 ? { ...model, adapters: stored } : model;
}

/** @throws as `verifiedSource` */
export async function checkedSource(source: FileSource, verify: boolean | Sha256Sums): Promise<FileSource> {
  if (verify === false) return source;
  return verifiedSource(source, verify === true ? undefined : verify);
}

/** `readModel` for a folder that is open. @throws as that */
export async function readModelFiles(folder: FolderReader): Promise<StoredModel> {
  const config = await readConfig(folder);
  const tokenizer = await readTokenizer(folder, config);
  const vae = await readStoredCodec(folder, config.codec);
  const weights = await folder.openTensors('model.safetensors');
  checkShapes(config.model, weights.tensors, weights.path);
  const tensors = await weights.readAll();
  checkFinite(tensors, weights.path);
  return { config, tensors, tokenizer, vae };
}

async function readTokenizer(folder: FolderReader, config: PipelineConfig): Promise<Tokenizer> {
  const where = `${folder.path}/tokenizer.json`;
  const tokenizer = new Tokenizer(await folder.readJson('tokenizer.json', z.unknown()), { where });
  announcingTokens(config, tokenizer, { where, code: 'CHECKPOINT_CONTENT' });
  const textIds = textVocabularySize(config);
  if (tokenizer.vocabularySize <= textIds) return tokenizer;
  const forText = textIds < config.model.vocabularySize ? ' for text' : '';
  throw new CheckpointError({
    code: 'CHECKPOINT_CONTENT',
    message: `${where} has ${tokenizer.vocabularySize} ids, config.json a vocabulary of ${textIds}${forText}`,
    fix: 'config.json and tokenizer.json are of different models: fetch the folder again, whole',
  });
}

/** The `config.json` of a model folder. @throws as `readModel` */
export async function readConfig(folder: FolderReader): Promise<PipelineConfig> {
  const hasConfig = await folder.has('config.json');
  if (!hasConfig && (await isAdapterFolder(folder))) throw adapterAlone(folder.path);
  const isPipeline = !hasConfig && (await folder.has('model_index.json'));
  if (isPipeline) throw foreignModel(folder.path, 'the folder of a pipeline of diffusers');
  const where = `${folder.path}/config.json`;
  const json = await folder.readJson('config.json', z.unknown());
  const kind = foreignKind(json);
  if (kind) throw foreignModel(where, `the configuration of ${kind}`);
  return parseConfig(pipelineConfigSchema, upgradedConfig(json), where);
}

function adapterAlone(where: string): TransfusionError {
  return new TransfusionError({
    code: 'LORA_NO_MODEL',
    message: `${where} is a LoRA (adapter_config.json), not a model`,
    fix: 'give the model that it was trained on, and this one as its adapter; or merge the two: trainer merge',
  });
}

function foreignModel(where: string, is: string): TransfusionError {
  return new TransfusionError({
    code: 'CONFIG_INVALID',
    message: `${where} is ${is}, expected that of a Transfusion model`,
    fix: 'give the folder of a model that `trainer train` wrote, such as runs/demo/model',
  });
}

/** Whose configuration it is, if the libraries that have folders of this form say so. */
function foreignKind(json: unknown): string | undefined {
  if (typeof json !== 'object' || json === null || 'format' in json) return undefined;
  const { _class_name: diffusers, model_type: transformers } = json as Record<string, unknown>;
  if (diffusers === 'AutoencoderKL' || diffusers === 'VQModel') return `an autoencoder (${diffusers})`;
  if (typeof diffusers === 'string') return `a model of diffusers (${diffusers})`;
  if (transformers === 'dual-encoder' || transformers === 'image-classifier') {
    return `a network that judges pictures (${transformers})`;
  }
  return typeof transformers === 'string' ? `a model of transformers (${transformers})` : undefined;
}

/**
 * Puts a model on a backend; pass the result on to `createSampler`.
 *
 * @throws TransfusionError CODEC_WEIGHTS: the model has no autoencoder, or one of another configuration; OutOfMemoryError
 */
export function loadModel(model: StoredModel, backend: Backend): LoadedModel {
  const { config, tensors, tokenizer, vae, adapters = [] } = model;
  const codec = openCodec({ backend, config: config.codec, weights: vae?.weights, where: vae?.where });
  const values = new Map([...tensors].map(([name, { data }]) => [name, data]));
  const plain: ModelVariables = createParameters(backend, transfusionSpec(config.model), values);
  const loaded = adapters.map((each) => loadAdapter(each, backend));
  const parameters = withAdapters(plain, isVariable, loaded);
  return {
    config,
    parameters,
    tokenizer,
    codec,
    dispose() {
      for (const variable of flattenTree<Variable>(parameters, isVariable).values()) variable.destroy();
      codec.dispose();
    },
  };
}

function loadAdapter(adapter: StoredAdapter, backend: Backend): Adapter<Variable> {
  const layers = [...adapter.layers].map(([path, { a, b }]) => {
    return [path, { a: createVariable(backend, a), b: createVariable(backend, b) }] as const;
  });
  return { layers: Object.fromEntries(layers), scale: scaleOf(adapter) };
}

/**
 * `readModel` and `loadModel`: a model from a folder, a server or memory, on a backend. The source is not closed.
 *
 * @throws as these
 */
export async function openModel(
  source: FileSource,
  backend: Backend,
  options: ReadModelOptions = {},
): Promise<LoadedModel> {
  return loadModel(await readModel(source, options), backend);
}
