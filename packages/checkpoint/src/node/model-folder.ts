/**
 * @file Model folders: config.json, model.safetensors, tokenizer.json, vae/; a training run's state beside them. An
 * autoencoder's own folder is one without tokenizer and vae/.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CheckpointError, reason } from '../errors.js';
import { parseConfig } from '../parse-config.js';
import { encodeSafetensors, type TensorData, type Tensors } from '../safetensors.js';
import type { FileContent } from './durable-files.js';
import { errorCode, fileError } from './file-errors.js';
import { readConsistently } from './folder-versions.js';
import { readSafetensorsFile } from './safetensors-file.js';
import { writeFolder } from './write-folder.js';

const MAX_JSON_BYTES = 2 ** 28;
/** What a model folder consists of: of these, none survives from the version before. */
const OWNED = [
  'config.json',
  'model.safetensors',
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

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/**
 * Saves a model, whole or not at all (see `writeFolder`). Other files of a folder that is replaced (metrics, samples)
 * stay; without `trainer`, an earlier run's optimizer state goes.
 *
 * @throws CheckpointError CHECKPOINT_WRITE_FAILED: not writable, disk full, or the path holds something else;
 *   CHECKPOINT_CONTENT: a tensor's shape does not fit its data, or a value its dtype. The previous version is untouched.
 */
export async function saveModelFolder(options: SaveModelOptions): Promise<void> {
  const { path, config, tensors, tokenizer, vae, trainer, files, companions = ['metrics.jsonl'] } = options;
  const contents: Record<string, FileContent> = {
    'config.json': json(config),
    'model.safetensors': encodeSafetensors(tensors),
  };
  if (tokenizer !== undefined) contents['tokenizer.json'] = json(tokenizer);
  if (vae) {
    contents['vae/config.json'] = json(vae.config);
    contents['vae/model.safetensors'] = encodeSafetensors(vae.tensors);
  }
  if (trainer) {
    contents['trainer_state.json'] = json(trainer.state);
    contents['optimizer.safetensors'] = encodeSafetensors(trainer.optimizer);
  }
  const marks = ['config.json', 'model.safetensors'];
  await writeFolder(path, { ...contents, ...files }, { owned: OWNED, marks, companions });
}

/** Reads files of one version of a folder. Errors name the file as the caller knows it. */
export class FolderReader {
  /** The folder as it was asked for. */
  readonly path: string;
  readonly #folder: string;

  constructor(path: string, folder: string) {
    this.path = path;
    this.#folder = folder;
  }

  async has(name: string): Promise<boolean> {
    return (await stat(join(this.#folder, name)).catch(() => undefined))?.isFile() ?? false;
  }

  /** @throws CheckpointError CHECKPOINT_MISSING, CHECKPOINT_FORMAT, CHECKPOINT_READ_FAILED */
  async readText(name: string): Promise<string> {
    const where = join(this.path, name);
    try {
      const path = join(this.#folder, name);
      const { size } = await stat(path);
      if (size > MAX_JSON_BYTES) {
        throw new CheckpointError({
          code: 'CHECKPOINT_FORMAT',
          message: `${where} has ${size} bytes, the limit for its kind is ${MAX_JSON_BYTES}`,
        });
      }
      return await readFile(path, 'utf8');
    } catch (error) {
      if (errorCode(error) === 'ENOENT') throw this.#missing(name, error);
      throw fileError('CHECKPOINT_READ_FAILED', `cannot read ${where}`, error);
    }
  }

  /** A JSON file, checked by a schema (objects strict: see `parseConfig`). @throws also CONFIG_INVALID */
  async readJson<Schema extends z.ZodType>(name: string, schema: Schema): Promise<z.output<Schema>> {
    const where = join(this.path, name);
    const text = await this.readText(name);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw new CheckpointError({
        code: 'CHECKPOINT_FORMAT',
        message: `${where} is not JSON: ${reason(error)}`,
        fix: 'the file is truncated or damaged: copy it again, or use another checkpoint',
        cause: error,
      });
    }
    return parseConfig(schema, value, where);
  }

  /** Tensors of a safetensors file, as f32; all of them, or those named. */
  async readTensors(name: string, tensorNames?: Iterable<string>): Promise<Tensors> {
    if (!(await this.has(name))) throw this.#missing(name);
    return readSafetensorsFile(join(this.#folder, name), tensorNames);
  }

  #missing(name: string, cause?: unknown): CheckpointError {
    return new CheckpointError({
      code: 'CHECKPOINT_MISSING',
      message: `${this.path} has no ${name}`,
      fix: 'give the folder of a model that this program wrote, or fetch it whole',
      cause,
    });
  }
}

/**
 * Opens the folder at `path`, or what a crash left of it (see `locateFolder`), and calls `read`; again if a writer
 * replaced the folder meanwhile, so that everything one call reads is of one version. What `read` throws is passed on if
 * it is an error of this project, else wrapped (CHECKPOINT_READ_FAILED).
 */
export async function openCheckpoint<T>(path: string, read: (folder: FolderReader) => Promise<T>): Promise<T> {
  return readConsistently(path, (folder) => read(new FolderReader(path, folder)));
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
 * @throws CheckpointError CHECKPOINT_MISSING, CHECKPOINT_FORMAT, CONFIG_INVALID, CHECKPOINT_READ_FAILED; each names the file
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
