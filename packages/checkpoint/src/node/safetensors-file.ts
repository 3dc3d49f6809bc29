/** @file Tensors of a safetensors file on disk, without reading the others. */
import { type FileHandle, open } from 'node:fs/promises';
import { CheckpointError } from '../errors.js';
import { SIGNATURE_BYTES } from '../foreign-file.js';
import { missingTensor, type Tensors } from '../read-safetensors.js';
import { parseHeader, readHeaderLength, type SafetensorsHeader, type TensorEntry } from '../safetensors-header.js';
import { checkReadable, isLittleEndian, toFloat32 } from '../to-float32.js';
import type { TensorData } from '../write-safetensors.js';
import { errorCode, fileError } from './file-errors.js';

/** Reads bytes [begin, begin + length) into `target`. */
async function readRange(handle: FileHandle, target: Uint8Array, begin: number, where: string): Promise<void> {
  for (let at = 0; at < target.length; ) {
    const { bytesRead } = await handle.read(target, at, Math.min(target.length - at, 2 ** 28), begin + at);
    if (bytesRead === 0) {
      throw new CheckpointError({
        code: 'CHECKPOINT_FORMAT',
        message: `${where}: ends at byte ${begin + at}, expected ${begin + target.length}: it became shorter while it was read`,
        fix: 'read it again when nothing writes to it',
      });
    }
    at += bytesRead;
  }
}

/** An open safetensors file: its header is checked, tensors are read when asked for. Close it after use. */
export class SafetensorsFile {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly #handle: FileHandle;

  private constructor(path: string, handle: FileHandle, { tensors, metadata }: SafetensorsHeader) {
    this.path = path;
    this.#handle = handle;
    this.tensors = new Map(tensors.map((entry) => [entry.name, entry]));
    this.metadata = metadata;
  }

  /**
   * @param where names the file in errors; default: `path`
   * @throws CheckpointError CHECKPOINT_MISSING, CHECKPOINT_FORMAT, CHECKPOINT_READ_FAILED
   */
  static async open(path: string, where = path): Promise<SafetensorsFile> {
    let handle: FileHandle | undefined;
    try {
      handle = await open(path, 'r');
      const stats = await handle.stat();
      if (!stats.isFile()) {
        throw new CheckpointError({
          code: 'CHECKPOINT_FORMAT',
          message: `${where} is a folder or device, expected a file`,
          fix: 'give the .safetensors file itself',
        });
      }
      const prefix = new Uint8Array(Math.min(SIGNATURE_BYTES, stats.size));
      await readRange(handle, prefix, 0, where);
      const json = new Uint8Array(readHeaderLength(prefix, stats.size, where));
      await readRange(handle, json, 8, where);
      return new SafetensorsFile(where, handle, parseHeader(json, stats.size, where));
    } catch (error) {
      await handle?.close();
      if (errorCode(error) === 'ENOENT') {
        throw new CheckpointError({
          code: 'CHECKPOINT_MISSING',
          message: `file ${where} does not exist`,
          fix: 'check the path',
          cause: error,
        });
      }
      throw fileError('CHECKPOINT_READ_FAILED', `cannot read ${where}`, error);
    }
  }

  /** One tensor as f32. @throws CheckpointError CHECKPOINT_CONTENT: there is none of that name, or of a dtype not supported */
  async read(name: string): Promise<TensorData<Float32Array>> {
    const entry = this.tensors.get(name);
    if (entry === undefined) throw missingTensor(name, [...this.tensors.keys()], this.path);
    const { shape, begin, end } = entry;
    checkReadable(entry, this.path);
    try {
      if (entry.dtype === 'F32' && isLittleEndian) {
        const data = new Float32Array((end - begin) / 4);
        await readRange(this.#handle, new Uint8Array(data.buffer), begin, this.path);
        return { shape, data };
      }
      const bytes = new Uint8Array(end - begin);
      await readRange(this.#handle, bytes, begin, this.path);
      return { shape, data: toFloat32(entry, bytes, this.path) };
    } catch (error) {
      throw fileError('CHECKPOINT_READ_FAILED', `cannot read ${this.path}`, error);
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/**
 * Reads the named tensors of a file (default: all) as f32.
 *
 * @param where names the file in errors; default: `path`
 * @throws as `SafetensorsFile.open` and `read`
 */
export async function readSafetensorsFile(path: string, names?: Iterable<string>, where?: string): Promise<Tensors> {
  const file = await SafetensorsFile.open(path, where);
  try {
    const tensors: Tensors = new Map();
    for (const name of names ?? file.tensors.keys()) tensors.set(name, await file.read(name));
    return tensors;
  } finally {
    await file.close();
  }
}
