/** @file Tensors of a safetensors file that is read in parts: its header first, then those that are asked for. */
import { allocateBytes, type FileSource } from './file-source.js';
import { SIGNATURE_BYTES } from './foreign-file.js';
import { missingTensor, type Tensors } from './read-safetensors.js';
import { parseHeader, readHeaderLength, type SafetensorsHeader, type TensorEntry } from './safetensors-header.js';
import { checkReadable, isLittleEndian, toFloat32 } from './to-float32.js';
import type { TensorData } from './write-safetensors.js';

/** Tensors that lie beside each other are read together, up to so many bytes: a server is asked less often. */
const READ_TOGETHER_BYTES = 2 ** 24;

/** A file that is open. */
export interface OpenFile {
  /** Names it in errors. */
  readonly path: string;
  readonly size: number;
  /** Fills `target` with its bytes from `begin` on. */
  read(begin: number, target: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Weights whose headers are read and checked: those of one file, or of several that belong together. */
export interface StoredTensors {
  /** The file, or the index of several, for errors. */
  readonly path: string;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /**
   * Tensors as f32: all, or those named.
   *
   * @throws CheckpointError CHECKPOINT_CONTENT: there is none of a name, or of a dtype not supported; CHECKPOINT_FORMAT,
   *   CHECKPOINT_READ_FAILED
   */
  readAll(names?: Iterable<string>): Promise<Tensors>;
}

/** @throws CheckpointError CHECKPOINT_FORMAT: no safetensors file, or damaged; and what reading throws */
export async function readFileHeader(file: OpenFile): Promise<SafetensorsHeader> {
  const prefix = new Uint8Array(Math.min(SIGNATURE_BYTES, file.size));
  await file.read(0, prefix);
  const json = new Uint8Array(readHeaderLength(prefix, file.size, file.path));
  await file.read(8, json);
  return parseHeader(json, file.size, file.path);
}

/** An open safetensors file: its header is checked, tensors are read when asked for. Close it after use. */
export class SafetensorsReader implements StoredTensors {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly #file: OpenFile;

  constructor(file: OpenFile, { tensors, metadata }: SafetensorsHeader) {
    this.path = file.path;
    this.#file = file;
    this.tensors = new Map(tensors.map((entry) => [entry.name, entry]));
    this.metadata = metadata;
  }

  /** One tensor as f32. @throws CheckpointError CHECKPOINT_CONTENT: there is none of that name, or of a dtype not supported */
  async read(name: string): Promise<TensorData<Float32Array>> {
    return this.#readOne(this.#entry(name));
  }

  async readAll(names: Iterable<string> = this.tensors.keys()): Promise<Tensors> {
    const wanted = new Map([...names].map((name) => [name, this.#entry(name)]));
    const tensors: Tensors = new Map([...wanted].map(([name, { shape }]) => [name, { shape, data: NOT_READ }]));
    let scratch = new Uint8Array(0);
    for (const together of neighbours([...wanted.values()])) {
      if (together.length === 1) {
        tensors.set(together[0].name, await this.#readOne(together[0]));
        continue;
      }
      const start = together[0].begin;
      const length = together[together.length - 1].end - start;
      if (scratch.length < length) scratch = allocateBytes(length, this.path);
      await this.#file.read(start, scratch.subarray(0, length));
      for (const entry of together) {
        const data = toFloat32(entry, scratch.subarray(entry.begin - start, entry.end - start), this.path);
        tensors.set(entry.name, { shape: entry.shape, data });
      }
    }
    return tensors;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  #entry(name: string): TensorEntry {
    const entry = this.tensors.get(name);
    if (entry === undefined) throw missingTensor(name, [...this.tensors.keys()], this.path);
    checkReadable(entry, this.path);
    return entry;
  }

  async #readOne(entry: TensorEntry): Promise<TensorData<Float32Array>> {
    const bytes = allocateBytes(entry.end - entry.begin, this.path);
    await this.#file.read(entry.begin, bytes);
    const isReady = entry.dtype === 'F32' && isLittleEndian;
    return { shape: entry.shape, data: isReady ? new Float32Array(bytes.buffer) : toFloat32(entry, bytes, this.path) };
  }
}

/** Keeps a tensor's place in the order of the map until it is read. */
const NOT_READ = new Float32Array(0);

/** Tensors in the order of their bytes, those together that leave no hole and fit into one read. */
function neighbours(entries: TensorEntry[]): TensorEntry[][] {
  const groups: TensorEntry[][] = [];
  for (const entry of entries.sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    const group = groups[groups.length - 1];
    const isNext = group !== undefined && group[group.length - 1].end === entry.begin;
    if (isNext && entry.end - group[0].begin <= READ_TOGETHER_BYTES) group.push(entry);
    else groups.push([entry]);
  }
  return groups;
}

/** Opens a safetensors file of a source. @throws CheckpointError as `FileSource.size`; CHECKPOINT_FORMAT */
export async function openSafetensors(source: FileSource, name: string): Promise<SafetensorsReader> {
  const file: OpenFile = {
    path: `${source.name}/${name}`,
    size: await source.size(name),
    read: (begin, target) => source.read(name, begin, target),
    close: async () => {},
  };
  return new SafetensorsReader(file, await readFileHeader(file));
}
