/** @file The files of a folder of the disk. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointError } from '../errors.js';
import { checkFileName, isFileName } from '../file-names.js';
import { checkRange, type FileSource } from '../file-source.js';
import { type DiskFile, openFile } from './open-file.js';

/** Files of a folder of the disk. A file that is replaced or written to while it is read is an error. */
export class FolderSource implements FileSource {
  readonly name: string;
  readonly #folder: string;
  /** What each file was when it was first asked for. */
  readonly #versions = new Map<string, string>();

  /** @param name for errors; default: the path of the folder */
  constructor(folder: string, name = folder) {
    this.name = name;
    this.#folder = folder;
  }

  async has(name: string): Promise<boolean> {
    checkFileName(name);
    return (await stat(join(this.#folder, name)).catch(() => undefined))?.isFile() ?? false;
  }

  async size(name: string): Promise<number> {
    return this.#use(name, async ({ size }) => size);
  }

  async read(name: string, begin: number, target: Uint8Array): Promise<void> {
    await this.#use(name, async (file) => {
      checkRange(file.path, file.size, begin, target.length);
      await file.read(begin, target);
    });
  }

  async list(inside: string): Promise<string[]> {
    const names = await readdir(join(this.#folder, inside)).catch(() => [] as string[]);
    return names.filter(isFileName).sort();
  }

  async close(): Promise<void> {
    this.#versions.clear();
  }

  async #use<T>(name: string, use: (file: DiskFile) => Promise<T>): Promise<T> {
    checkFileName(name);
    const file = await openFile(join(this.#folder, name), `${this.name}/${name}`);
    try {
      const known = this.#versions.get(name) ?? file.version;
      if (known !== file.version) {
        throw new CheckpointError({
          code: 'CHECKPOINT_FORMAT',
          message: `${file.path}: was changed while it was read`,
          fix: 'read it again when nothing writes to it; openCheckpoint(path, read) does so by itself',
        });
      }
      this.#versions.set(name, known);
      return await use(file);
    } finally {
      await file.close();
    }
  }
}
