/**
 * @file Model folders: config.json, model.safetensors, tokenizer.json, vae/; a training run's state beside them. An
 * autoencoder's own folder is one without tokenizer and vae/.
 */
import { describeKind } from '@transfusion/core';
import { z } from 'zod';
import { CheckpointError } from '../errors.js';
import type { Tensors } from '../read-safetensors.js';
import { SUMS_FILE } from '../sha256-sums.js';
import { DIFFUSERS_WEIGHTS, MODEL_WEIGHTS, singleFile, weightCandidates, weightNames } from '../shard-names.js';
import type { WritableTensor } from '../write-safetensors.js';
import { encodeWeights } from '../write-shards.js';
import type { FileContent } from './durable-files.js';
import { openCheckpoint } from './open-checkpoint.js';
import { type WriteFolderOptions, writeFolder } from './write-folder.js';

const OPTIMIZER_WEIGHTS = 'optimizer';
/** What PEFT calls the files of an adapter. */
const ADAPTER_CONFIG = 'adapter_config.json';
const ADAPTER_WEIGHTS = 'adapter_model';

/** What the folder of a model or of an adapter consists of: of these, none survives from the version before. */
const OWNED = [
  ...['config.json', ADAPTER_CONFIG, 'tokenizer.json', 'vae', 'trainer_state.json', SUMS_FILE],
  ...[MODEL_WEIGHTS, DIFFUSERS_WEIGHTS, ADAPTER_WEIGHTS, OPTIMIZER_WEIGHTS].map(weightNames),
];
/** What tells such a folder: see `writeFolder`. */
const MARKS = [
  ['config.json', ADAPTER_CONFIG],
  [...weightCandidates(singleFile(MODEL_WEIGHTS)), singleFile(ADAPTER_WEIGHTS)],
];

/** Tensors to write, by name. */
export type TensorMap = Map<string, WritableTensor>;

export interface SaveModelOptions {
  /** The folder; made if it is missing, replaced if it is a model folder. */
  path: string;
  /** JSON: `config.json`. */
  config: unknown;
  /**
   * `model.safetensors`; `diffusion_pytorch_model.safetensors` where `config` is that of a model of diffusers
   * (`_class_name`), such as an autoencoder, since diffusers looks for no other.
   */
  tensors: TensorMap;
  /** JSON: `tokenizer.json`. */
  tokenizer?: unknown;
  /** `vae/config.json` and `vae/diffusion_pytorch_model.safetensors`. */
  vae?: { config: unknown; tensors: TensorMap };
  /** What resuming needs: `trainer_state.json` and `optimizer.safetensors`. */
  trainer?: { state: unknown; optimizer: TensorMap };
  /** Other files, by name. */
  files?: Record<string, FileContent>;
  /**
   * Names that a folder which is no model folder yet may have, where a run wrote them before its first save; default
   * `metrics.jsonl`. A folder with anything else is not touched.
   */
  companions?: string[];
  /** Weights of more bytes are written in several files with an index (see `encodeWeights`); default 256 MB. */
  maxShardBytes?: number;
  /** See `writeFolder`. */
  sums?: WriteFolderOptions['sums'];
}

function json(name: string, value: unknown): string {
  const text: string | undefined = JSON.stringify(value, null, 2);
  if (text !== undefined) return `${text}\n`;
  throw new CheckpointError({
    code: 'CHECKPOINT_ARGUMENT',
    message: `${name} is to hold ${describeKind(value)}, expected a value that JSON has`,
    fix: 'give an object',
  });
}

/** Whether a model is one of diffusers by its configuration; models of this project have a `format`. */
function isOfDiffusers(config: unknown): boolean {
  return typeof config === 'object' && config !== null && '_class_name' in config && !('format' in config);
}

/**
 * Saves a model, whole or not at all (see `writeFolder`). Other files of a folder that is replaced (metrics, samples)
 * stay; without `trainer`, an earlier run's optimizer state goes.
 *
 * @throws CheckpointError CHECKPOINT_WRITE_FAILED: not writable, disk full, or the path holds something else;
 *   CHECKPOINT_CONTENT: a tensor's data are of another kind, or do not fit its shape or dtype; CHECKPOINT_ARGUMENT: tensors
 *   are no Map, a configuration no JSON, a file no text or bytes. The previous version is untouched.
 */
export async function saveModelFolder(options: SaveModelOptions): Promise<void> {
  const { path, config, tensors, tokenizer, vae, trainer, files, companions = ['metrics.jsonl'] } = options;
  const contents: Record<string, FileContent> = { 'config.json': json('config.json', config) };
  const addWeights = (folder: string, base: string, tensors: TensorMap) => {
    for (const [name, content] of encodeWeights(base, tensors, options)) contents[folder + name] = content;
  };
  addWeights('', isOfDiffusers(config) ? DIFFUSERS_WEIGHTS : MODEL_WEIGHTS, tensors);
  if (tokenizer !== undefined) contents['tokenizer.json'] = json('tokenizer.json', tokenizer);
  if (vae) {
    contents['vae/config.json'] = json('vae/config.json', vae.config);
    addWeights('vae/', DIFFUSERS_WEIGHTS, vae.tensors);
  }
  if (trainer) {
    contents['trainer_state.json'] = json('trainer_state.json', trainer.state);
    addWeights('', OPTIMIZER_WEIGHTS, trainer.optimizer);
  }
  await writeFolder(path, { ...contents, ...files }, { owned: OWNED, marks: MARKS, companions, sums: options.sums });
}

export interface SaveAdapterOptions extends Pick<SaveModelOptions, 'path' | 'tensors' | 'trainer' | 'files'> {
  /** JSON: `adapter_config.json`. */
  config: unknown;
}

/**
 * Saves an adapter as PEFT has it: `adapter_config.json` and `adapter_model.safetensors`, whole or not at all. Takes the place of
 * a model or an adapter.
 *
 * @throws as `saveModelFolder`
 */
export async function saveAdapterFolder({ path, config, tensors, trainer, files }: SaveAdapterOptions): Promise<void> {
  const one = { maxShardBytes: Number.POSITIVE_INFINITY };
  const contents: Record<string, FileContent> = {
    [ADAPTER_CONFIG]: json(ADAPTER_CONFIG, config),
    ...Object.fromEntries(encodeWeights(ADAPTER_WEIGHTS, tensors, one)),
  };
  if (trainer) {
    contents['trainer_state.json'] = json('trainer_state.json', trainer.state);
    for (const [name, content] of encodeWeights(OPTIMIZER_WEIGHTS, trainer.optimizer)) contents[name] = content;
  }
  await writeFolder(path, { ...contents, ...files }, { owned: OWNED, marks: MARKS });
}

export interface LoadedModel<Config> {
  config: Config;
  tensors: Tensors;
  /** `tokenizer.json`, parsed; undefined where there is none. */
  tokenizer: unknown;
}

/**
 * Loads config, tensors and tokenizer of a model folder.
 *
 * @throws CheckpointError CHECKPOINT_MISSING, CHECKPOINT_FORMAT, CHECKPOINT_READ_FAILED; TransfusionError CONFIG_INVALID; each names the file
 */
export async function loadModelFolder<Schema extends z.ZodType>(options: {
  path: string;
  /** Checks `config.json`. */
  configSchema: Schema;
}): Promise<LoadedModel<z.output<Schema>>> {
  return openCheckpoint(options.path, async (folder) => ({
    config: await folder.readJson('config.json', options.configSchema),
    tensors: await folder.readTensors('model.safetensors'),
    tokenizer: (await folder.has('tokenizer.json')) ? await folder.readJson('tokenizer.json', z.unknown()) : undefined,
  }));
}
