/**
 * @file Model folders: config.json, model.safetensors, tokenizer.json, vae/; a training run's state beside them. An
 * autoencoder's own folder is one without tokenizer and vae/.
 */
import { describeKind } from '@transfusion/core';
import { z } from 'zod';
import { CheckpointError } from '../errors.js';
import type { Tensors } from '../read-safetensors.js';
import { encodeSafetensors, type TensorData } from '../write-safetensors.js';
import type { FileContent } from './durable-files.js';
import { openCheckpoint } from './folder-reader.js';
import { writeFolder } from './write-folder.js';

/** What a model folder consists of: of these, none survives from the version before. */
const OWNED = [
  'config.json',
  'model.safetensors',
  'model.safetensors.index.json',
  'tokenizer.json',
  'vae',
  'optimizer.safetensors',
  'trainer_state.json',
];

/** Tensors to write, by name. */
export type TensorMap = Map<string, TensorData>;

export interface SaveModelOptions {
  /** The folder; made if it is missing, replaced if it is a model folder. */
  path: string;
  /** JSON: `config.json`. */
  config: unknown;
  /** `model.safetensors` */
  tensors: TensorMap;
  /** JSON: `tokenizer.json`. */
  tokenizer?: unknown;
  /** `vae/config.json` and `vae/model.safetensors`. */
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
  const contents: Record<string, FileContent> = {
    'config.json': json('config.json', config),
    'model.safetensors': encodeSafetensors(tensors),
  };
  if (tokenizer !== undefined) contents['tokenizer.json'] = json('tokenizer.json', tokenizer);
  if (vae) {
    contents['vae/config.json'] = json('vae/config.json', vae.config);
    contents['vae/model.safetensors'] = encodeSafetensors(vae.tensors);
  }
  if (trainer) {
    contents['trainer_state.json'] = json('trainer_state.json', trainer.state);
    contents['optimizer.safetensors'] = encodeSafetensors(trainer.optimizer);
  }
  const marks = ['config.json', 'model.safetensors'];
  await writeFolder(path, { ...contents, ...files }, { owned: OWNED, marks, companions });
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
