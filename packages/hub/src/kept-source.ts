/** @file The files of a model that a browser keeps, as a source. */
import { checkRange, type FileSource, isFileName, MemorySource, missingFile } from '@transfusion/checkpoint';
import type { HubFile } from './tree.js';

/** What gives the pieces of a kept file, in order. */
export interface KeptFiles {
  pieces(path: string, file: HubFile): Promise<readonly Blob[]>;
}

export class KeptSource implements FileSource {
  readonly name: string;
  /** The commit that it is of. */
  readonly commit: string;
  readonly #files: ReadonlyMap<string, HubFile>;
  readonly #store: KeptFiles;
  readonly #pieces = new Map<string, Promise<readonly Blob[]>>();
  /** Checks names and lists them. */
  readonly #names: MemorySource;

  /** @param files by their names in the source */
  constructor(options: { name: string; commit: string; files: ReadonlyMap<string, HubFile>; store: KeptFiles }) {
    this.name = options.name;
    this.commit = options.commit;
    this.#files = options.files;
    this.#store = options.store;
    const none = new Uint8Array(0);
    this.#names = new MemorySource(
      new Map([...options.files.keys()].filter(isFileName).map((name) => [name, none])),
      this.name,
    );
  }

  has(name: string): Promise<boolean> {
    return this.#names.has(name);
  }

  list(inside: string): Promise<string[]> {
    return this.#names.list(inside);
  }

  async size(name: string): Promise<number> {
    if (!(await this.has(name))) throw missingFile(`${this.name}/${name}`);
    return this.#files.get(name)!.size;
  }

  async read(name: string, begin: number, target: Uint8Array): Promise<void> {
    checkRange(`${this.name}/${name}`, await this.size(name), begin, target.length);
    let pieces = this.#pieces.get(name);
    if (!pieces) {
      pieces = this.#store.pieces(name, this.#files.get(name)!);
      this.#pieces.set(name, pieces);
      pieces.catch(() => this.#pieces.delete(name));
    }
    let at = 0;
    for (const piece of await pieces) {
      const from = Math.max(0, begin - at);
      const to = Math.min(piece.size, begin + target.length - at);
      if (from < to) target.set(new Uint8Array(await piece.slice(from, to).arrayBuffer()), at + from - begin);
      at += piece.size;
    }
  }

  async close(): Promise<void> {
    this.#pieces.clear();
  }
}
