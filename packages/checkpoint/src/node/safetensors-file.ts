/** @file Tensors of a safetensors file on disk, without reading the others. */
import { type FileHandle, open } from 'node:fs/promises';
import { CheckpointError } from '../errors.js';
import { nearestName } from '../parse-config.js';
import { type TensorData, type Tensors, toFloat32 } from '../safetensors.js';
import { parseHeader, readHeaderLength, type TensorEntry } from '../safetensors-header.js';
import { errorCode, fileError } from './file-errors.js';

const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Reads bytes [begin, begin + length) into `target`. */
async function readRange(handle: FileHandle, target: Uint8Array, begin: number, where: string): Promise<void> {
  for (let at = 0; at < target.length; ) {
    const { bytesRead } = await handle.read(target, at, Math.min(target.length - at, 2 ** 28), begin + at);
    if (bytesRead === 0) {
      throw new CheckpointError({
        code: 'CHECKPOINT_FORMAT',
        message: `${where}: ends at byte ${begin + at}, expected ${begin + target.length}: it became shorter while it was read`,
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

  private constructor(path: string, handle: FileHandle, tensors: TensorEntry[], metadata: Record<string, string>) {
    this.path = path;
    this.#handle = handle;
    this.tensors = new Map(tensors.map((entry) => [entry.name, entry]));
    this.metadata = metadata;
  }

  /** @throws CheckpointError CHECKPOINT_MISSING, CHECKPOINT_FORMAT, CHECKPOINT_READ_FAILED */
  static async open(path: string): Promise<SafetensorsFile> {
    let handle: FileHandle | undefined;
    try {
      handle = await open(path, 'r');
      const stats = await handle.stat();
      if (!stats.isFile()) {
        throw new CheckpointError({
          code: 'CHECKPOINT_FORMAT',
          message: `${path} is a folder or device, expected a file`,
        });
      }
      const prefix = new Uint8Array(Math.min(8, stats.size));
      await readRange(handle, prefix, 0, path);
      const json = new Uint8Array(readHeaderLength(prefix, stats.size, path));
      await readRange(handle, json, 8, path);
      const header = parseHeader(json, stats.size, path);
      return new SafetensorsFile(path, handle, header.tensors, header.metadata);
    } catch (error) {
      await handle?.close();
      if (errorCode(error) === 'ENOENT') {
        throw new CheckpointError({ code: 'CHECKPOINT_MISSING', message: `file ${path} does not exist`, cause: error });
      }
      throw fileError('CHECKPOINT_READ_FAILED', `cannot read ${path}`, error);
    }
  }

  /** One tensor as f32. @throws CheckpointError CHECKPOINT_CONTENT: there is none of that name */
  async read(name: string): Promise<TensorData<Float32Array>> {
    const entry = this.tensors.get(name);
    if (entry === undefined) {
      const nearest = nearestName(name, [...this.tensors.keys()]);
      throw new CheckpointError({
        code: 'CHECKPOINT_CONTENT',
        message: `${this.path} has ${this.tensors.size} tensors, none named ${JSON.stringify(name)}${nearest ? ` (the nearest is ${JSON.stringify(nearest)})` : ''}`,
        fix: 'the file belongs to a model of another kind',
      });
    }
    const { shape, begin, end } = entry;
    try {
      if (entry.dtype === 'F32' && isLittleEndian) {
        const data = new Float32Array((end - begin) / 4);
        await readRange(this.#handle, new Uint8Array(data.buffer), begin, this.path);
        return { shape, data };
      }
      const bytes = new Uint8Array(end - begin);
      await readRange(this.#handle, bytes, begin, this.path);
      return { shape, data: toFloat32(entry, bytes) };
    } catch (error) {
      throw fileError('CHECKPOINT_READ_FAILED', `cannot read ${this.path}`, error);
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** Reads the named tensors of a file (default: all) as f32. */
export async function readSafetensorsFile(path: string, names?: Iterable<string>): Promise<Tensors> {
  const file = await SafetensorsFile.open(path);
  try {
    const tensors: Tensors = new Map();
    for (const name of names ?? file.tensors.keys()) tensors.set(name, await file.read(name));
    return tensors;
  } finally {
    await file.close();
  }
}
