/** @file Files in memory. */

import { tagOf } from '@transfusion/core';
import { asBytes, type Bytes } from './bytes.js';
import { checkFileName } from './file-names.js';
import { checkRange, type FileSource, missingFile } from './file-source.js';

/** Files in memory, by name. Their bytes are read where they are: they are not copied, and must not change. */
export class MemorySource implements FileSource {
  readonly name: string;
  readonly #files = new Map<string, Uint8Array>();

  /**
   * @param name for errors
   * @throws CheckpointError CHECKPOINT_ARGUMENT: no name of a file, or no bytes
   */
  constructor(files: ReadonlyMap<string, Bytes> | Readonly<Record<string, Bytes>>, name = 'memory') {
    this.name = name;
    const entries = tagOf(files) === 'Map' ? (files as ReadonlyMap<string, Bytes>) : Object.entries(files);
    for (const [file, bytes] of entries) {
      checkFileName(file);
      this.#files.set(file, asBytes(bytes, `${name}/${file}`));
    }
  }

  async has(name: string): Promise<boolean> {
    checkFileName(name);
    return this.#files.has(name);
  }

  async size(name: string): Promise<number> {
    return this.#bytes(name).length;
  }

  async read(name: string, begin: number, target: Uint8Array): Promise<void> {
    const bytes = this.#bytes(name);
    checkRange(`${this.name}/${name}`, bytes.length, begin, target.length);
    target.set(bytes.subarray(begin, begin + target.length));
  }

  async list(inside: string): Promise<string[]> {
    const prefix = inside === '' ? '' : `${inside}/`;
    const names = [...this.#files.keys()].filter((name) => name.startsWith(prefix));
    return [...new Set(names.map((name) => name.slice(prefix.length).split('/')[0]))].sort();
  }

  async close(): Promise<void> {
    this.#files.clear();
  }

  #bytes(name: string): Uint8Array {
    checkFileName(name);
    const bytes = this.#files.get(name);
    if (bytes === undefined) throw missingFile(`${this.name}/${name}`);
    return bytes;
  }
}
