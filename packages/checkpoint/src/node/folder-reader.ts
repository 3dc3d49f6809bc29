/** @file Reads the files of one version of a folder. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseConfig } from '@transfusion/core';
import type { z } from 'zod';
import { CheckpointError } from '../errors.js';
import type { Tensors } from '../read-safetensors.js';
import { decodeText, parseJson } from '../text.js';
import { errorCode, fileError } from './file-errors.js';
import { isVersionName, readConsistently } from './folder-versions.js';
import { readSafetensorsFile } from './safetensors-file.js';
import { readShards } from './sharded-tensors.js';

const MAX_JSON_BYTES = 2 ** 28;
/** Folders that are looked into for a config.json that is missed. */
const MOST_LOOKED_INTO = 100;

/** Reads files of one version of a folder. Errors name the file as the caller knows it. */
export class FolderReader {
  /** The folder as it was asked for. */
  readonly path: string;
  readonly #folder: string;

  constructor(path: string, folder: string) {
    this.path = path;
    this.#folder = folder;
  }

  /** Whether there is a file of that name. */
  async has(name: string): Promise<boolean> {
    return (await stat(join(this.#folder, name)).catch(() => undefined))?.isFile() ?? false;
  }

  /** Names of the files and folders of the folder, or of one inside it; none where there is no such folder. */
  async list(inside = ''): Promise<string[]> {
    return (await readdir(join(this.#folder, inside)).catch(() => [] as string[])).sort();
  }

  /**
   * UTF-8 text; a byte order mark at its start is left out.
   *
   * @throws CheckpointError CHECKPOINT_MISSING, CHECKPOINT_FORMAT (no UTF-8, a Git LFS pointer, or too large),
   *   CHECKPOINT_READ_FAILED
   */
  async readText(name: string): Promise<string> {
    const where = join(this.path, name);
    try {
      const path = join(this.#folder, name);
      const { size } = await stat(path);
      if (size > MAX_JSON_BYTES) {
        throw new CheckpointError({
          code: 'CHECKPOINT_FORMAT',
          message: `${where} has ${size} bytes, the limit for its kind is ${MAX_JSON_BYTES}`,
          fix: 'check whether it is another file under this name',
        });
      }
      return decodeText(await readFile(path), where);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') throw await this.#missing(name, error);
      throw fileError('CHECKPOINT_READ_FAILED', `cannot read ${where}`, error);
    }
  }

  /** A JSON file, checked by a schema (objects strict: see `parseConfig`). @throws also TransfusionError CONFIG_INVALID */
  async readJson<Schema extends z.ZodType>(name: string, schema: Schema): Promise<z.output<Schema>> {
    const where = join(this.path, name);
    return parseConfig(schema, parseJson(await this.readText(name), where), where);
  }

  /**
   * Tensors of a safetensors file, as f32; all of them, or those named. Where weights are in several files, their index
   * (`model.safetensors.index.json`) tells which: it is given in place of the file, or found beside its place.
   *
   * @throws CheckpointError CHECKPOINT_MISSING, CHECKPOINT_FORMAT, CHECKPOINT_CONTENT, CHECKPOINT_READ_FAILED
   */
  async readTensors(name: string, tensorNames?: Iterable<string>): Promise<Tensors> {
    if (await this.has(name)) {
      if (name.endsWith('.json')) return readShards(this, name, tensorNames);
      return readSafetensorsFile(join(this.#folder, name), tensorNames, join(this.path, name));
    }
    const index = `${name}.index.json`;
    if (await this.has(index)) return readShards(this, index, tensorNames);
    throw await this.#missing(name);
  }

  async #missing(name: string, cause?: unknown): Promise<CheckpointError> {
    const paths = name === 'config.json' ? await this.#modelsInside() : [];
    const isPipeline = paths.length > 0 && (await this.has('model_index.json'));
    const given =
      paths.length === 1 ? `give ${paths[0]}, which has one` : `give a folder that has one: ${paths.join(', ')}`;
    return new CheckpointError({
      code: 'CHECKPOINT_MISSING',
      message: `${this.path} has no ${name}${isPipeline ? '; it is a diffusers pipeline (model_index.json), a folder of models' : ''}`,
      fix: paths.length > 0 ? given : 'give the folder of a model that this program wrote, or fetch it whole',
      cause,
    });
  }

  /** Folders of models inside this one, such as that of a run; none where this one is a model's itself, but not whole. */
  async #modelsInside(): Promise<string[]> {
    const names = await this.list();
    if (names.some((name) => name === 'model.safetensors' || name === 'tokenizer.json')) return [];
    // Hugging Face's cache has a folder for each version of a model.
    const snapshots = (await this.list('snapshots')).map((name) => join('snapshots', name));
    const candidates = [...snapshots, ...names.filter((name) => !isVersionName(name))].slice(0, MOST_LOOKED_INTO);
    const has = await Promise.all(candidates.map((folder) => this.has(join(folder, 'config.json'))));
    return candidates.filter((_, i) => has[i]).map((folder) => join(this.path, folder));
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
