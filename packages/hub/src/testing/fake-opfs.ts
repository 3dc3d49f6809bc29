/** @file An origin's private file system in memory, for tests: https://fs.spec.whatwg.org, as far as it is used. */

/** Called before bytes are kept; throws where the browser would. */
export type BeforeWrite = (bytes: number) => void;

export class FakeDirectory {
  readonly kind = 'directory';
  readonly entries = new Map<string, FakeDirectory | FakeFile>();
  readonly #beforeWrite: BeforeWrite;

  constructor(beforeWrite: BeforeWrite = () => {}) {
    this.#beforeWrite = beforeWrite;
  }

  async getDirectoryHandle(name: string, { create = false } = {}): Promise<FakeDirectory> {
    return this.#get(name, create, FakeDirectory);
  }

  async getFileHandle(name: string, { create = false } = {}): Promise<FakeFile> {
    return this.#get(name, create, FakeFile);
  }

  async removeEntry(name: string): Promise<void> {
    if (!this.entries.delete(name)) throw new DOMException(`no ${name}`, 'NotFoundError');
  }

  async *keys(): AsyncGenerator<string> {
    yield* [...this.entries.keys()];
  }

  #get<Kind extends FakeDirectory | FakeFile>(
    name: string,
    create: boolean,
    kind: new (beforeWrite: BeforeWrite) => Kind,
  ): Kind {
    if (name === '' || name === '.' || name === '..' || /[/\\]/.test(name)) throw new TypeError(`${name} is no name`);
    const found = this.entries.get(name);
    if (found instanceof kind) return found;
    if (found) throw new DOMException(name, 'TypeMismatchError');
    if (!create) throw new DOMException(`no ${name}`, 'NotFoundError');
    const made = new kind(this.#beforeWrite);
    this.entries.set(name, made);
    return made;
  }
}

class FakeFile {
  readonly kind = 'file';
  #blob = new Blob();
  readonly #beforeWrite: BeforeWrite;

  constructor(beforeWrite: BeforeWrite) {
    this.#beforeWrite = beforeWrite;
  }

  async getFile(): Promise<Blob> {
    return this.#blob;
  }

  /** What is written is there once it is closed. */
  async createWritable() {
    const parts: BlobPart[] = [];
    return {
      write: async (content: string | Blob) => {
        const blob = new Blob([content]);
        this.#beforeWrite(blob.size);
        parts.push(blob);
      },
      close: async () => {
        this.#blob = new Blob(parts);
      },
      abort: async () => {},
    };
  }
}
