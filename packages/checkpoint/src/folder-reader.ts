/** @file Reads the files of a model's folder, wherever it is. */

import { parseConfig } from '@transfusion/core';
import type { z } from 'zod';
import { CheckpointError } from './errors.js';
import { isVersionName } from './file-names.js';
import { allocateBytes, type FileSource } from './file-source.js';
import type { Tensors } from './read-safetensors.js';
import { openSafetensors, type StoredTensors } from './safetensors-reader.js';
import { parseShardIndex } from './shard-index.js';
import { DIFFUSERS_WEIGHTS, MODEL_WEIGHTS, weightCandidates, weightNames } from './shard-names.js';
import { openShards } from './sharded-tensors.js';
import { decodeText, parseJson } from './text.js';

const MAX_JSON_BYTES = 2 ** 28;
/** Folders that are looked into for a config.json that is missed. */
const MOST_LOOKED_INTO = 100;

/** Reads the files of a folder. Errors name the file as the source does. */
export class FolderReader {
  /** The name of the source: a path or an address. */
  readonly path: string;
  /**
   * Names of the files and folders of the folder, or of one inside it; none where there is no such folder. Undefined where
   * the source cannot tell.
   */
  readonly list?: (inside?: string) => Promise<string[]>;
  readonly #source: FileSource;

  constructor(source: FileSource) {
    this.path = source.name;
    this.#source = source;
    if (source.list) this.list = (inside = '') => source.list!(inside);
  }

  /** Whether there is a file of that name. @throws CheckpointError CHECKPOINT_READ_FAILED, CHECKPOINT_ARGUMENT */
  async has(name: string): Promise<boolean> {
    return this.#source.has(name);
  }

  /**
   * UTF-8 text; a byte order mark at its start is left out.
   *
   * @throws CheckpointError CHECKPOINT_MISSING, CHECKPOINT_FORMAT (no UTF-8, a Git LFS pointer, or too large),
   *   CHECKPOINT_READ_FAILED
   */
  async readText(name: string): Promise<string> {
    const where = this.#where(name);
    const size = await this.#size(name);
    if (size > MAX_JSON_BYTES) {
      throw new CheckpointError({
        code: 'CHECKPOINT_FORMAT',
        message: `${where} has ${size} bytes, the limit for its kind is ${MAX_JSON_BYTES}`,
        fix: 'check whether it is another file under this name',
      });
    }
    const bytes = allocateBytes(size, where);
    await this.#source.read(name, 0, bytes);
    return decodeText(bytes, where);
  }

  /** A JSON file, checked by a schema (objects strict: see `parseConfig`). @throws also CONFIG_INVALID */
  async readJson<Schema extends z.ZodType>(name: string, schema: Schema): Promise<z.output<Schema>> {
    const where = this.#where(name);
    return parseConfig(schema, parseJson(await this.readText(name), where), where);
  }

  /**
   * Tensors of a safetensors file, as f32; all of them, or those named. Of weights in several files the index tells which:
   * see `openTensors`.
   *
   * @throws CheckpointError CHECKPOINT_MISSING, CHECKPOINT_FORMAT, CHECKPOINT_CONTENT, CHECKPOINT_READ_FAILED
   */
  async readTensors(name: string, tensorNames?: Iterable<string>): Promise<Tensors> {
    return (await this.openTensors(name)).readAll(tensorNames);
  }

  /**
   * What a safetensors file has, before it is read. Where weights are in several files, their index
   * (`model.safetensors.index.json`) tells which: it is given in place of the file, or found where that is missing. So is
   * the same file under the name that another library has for it: `diffusion_pytorch_model` (diffusers) for `model`, and
   * the reverse.
   *
   * @throws CheckpointError CHECKPOINT_MISSING, CHECKPOINT_FORMAT, CHECKPOINT_CONTENT, CHECKPOINT_READ_FAILED
   */
  async openTensors(name: string): Promise<StoredTensors> {
    for (const file of weightCandidates(name)) {
      if (!(await this.has(file))) continue;
      if (!file.endsWith('.json')) return openSafetensors(this.#source, file);
      const where = this.#where(file);
      const shards = parseShardIndex(parseJson(await this.readText(file), where), where);
      return openShards(this.#source, file, shards);
    }
    // There is none, or only the source knows what stands in its place.
    await this.#size(name);
    throw await this.#missing(name);
  }

  #where(name: string): string {
    return `${this.path}/${name}`;
  }

  async #size(name: string): Promise<number> {
    try {
      return await this.#source.size(name);
    } catch (error) {
      throw (error as { code?: unknown }).code === 'CHECKPOINT_MISSING' ? await this.#missing(name, error) : error;
    }
  }

  async #missing(name: string, cause?: unknown): Promise<CheckpointError> {
    const paths = name === 'config.json' ? await this.#modelsInside() : [];
    const isPipeline = paths.length > 0 && (await this.has('model_index.json'));
    const given =
      paths.length === 1 ? `give ${paths[0]}, which has one` : `give a folder that has one: ${paths.join(', ')}`;
    const whole = this.list
      ? 'give the folder of a model that this program wrote, or fetch it whole'
      : 'give the address of a folder of a model, whole; on Hugging Face it ends with /resolve/main';
    return new CheckpointError({
      code: 'CHECKPOINT_MISSING',
      message: `${this.path} has no ${name}${isPipeline ? '; it is a diffusers pipeline (model_index.json), a folder of models' : ''}`,
      fix: paths.length > 0 ? given : whole,
      cause,
    });
  }

  /** Folders of models inside this one, such as that of a run; none where this one is a model's itself, but not whole. */
  async #modelsInside(): Promise<string[]> {
    if (!this.list) return [];
    const names = await this.list();
    const own = [/^tokenizer\.json$/, weightNames(MODEL_WEIGHTS), weightNames(DIFFUSERS_WEIGHTS)];
    if (names.some((name) => own.some((pattern) => pattern.test(name)))) return [];
    // Hugging Face's cache has a folder for each version of a model.
    const snapshots = (await this.list('snapshots')).map((name) => `snapshots/${name}`);
    const candidates = [...snapshots, ...names.filter((name) => !isVersionName(name))].slice(0, MOST_LOOKED_INTO);
    const has = await Promise.all(candidates.map((folder) => this.has(`${folder}/config.json`)));
    return candidates.filter((_, i) => has[i]).map((folder) => this.#where(folder));
  }
}
