/** @file Files that the page keeps: in the browser's private file system where there is one, else until the tab is closed. */

export interface Store {
  /** Whether the files are there the next time. */
  readonly persistent: boolean;
  /** @returns undefined where there is no such file */
  read(path: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Names in a folder, sorted; none where there is no such folder. */
  list(folder: string): Promise<string[]>;
  /** A file, or a folder with all that is in it. */
  remove(path: string): Promise<void>;
}

export class MemoryStore implements Store {
  readonly persistent = false;
  readonly #files = new Map<string, Uint8Array<ArrayBuffer>>();

  async read(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#files.get(path)?.slice();
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    this.#files.set(path, Uint8Array.from(bytes));
  }

  async list(folder: string): Promise<string[]> {
    const inside = [...this.#files.keys()].filter((path) => path.startsWith(`${folder}/`));
    return [...new Set(inside.map((path) => path.slice(folder.length + 1).split('/')[0]))].sort();
  }

  async remove(path: string): Promise<void> {
    for (const each of this.#files.keys()) {
      if (each === path || each.startsWith(`${path}/`)) this.#files.delete(each);
    }
  }
}

/** What TypeScript's DOM library leaves out: workers only. */
interface SyncAccessHandle {
  truncate(size: number): void;
  write(bytes: Uint8Array, options: { at: number }): number;
  flush(): void;
  close(): void;
}

/** The origin's private file system. */
export class PrivateStore implements Store {
  readonly persistent = true;
  readonly #root: FileSystemDirectoryHandle;

  constructor(root: FileSystemDirectoryHandle) {
    this.#root = root;
  }

  async read(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const handle = await this.#file(path, false);
    return handle && new Uint8Array(await (await handle.getFile()).arrayBuffer());
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    const handle = (await this.#file(path, true))!;
    const sync = handle as unknown as { createSyncAccessHandle?(): Promise<SyncAccessHandle> };
    if (sync.createSyncAccessHandle) {
      const access = await sync.createSyncAccessHandle();
      try {
        access.truncate(0);
        const written = access.write(bytes, { at: 0 });
        if (written < bytes.length) throw new DOMException('the file could not be written whole', 'QuotaExceededError');
        access.flush();
      } finally {
        access.close();
      }
      return;
    }
    const stream = await handle.createWritable();
    await stream.write(bytes as Uint8Array<ArrayBuffer>);
    await stream.close();
  }

  async list(folder: string): Promise<string[]> {
    const handle = await this.#folder(folder.split('/'), false);
    const names: string[] = [];
    if (handle) for await (const name of handle.keys()) names.push(name);
    return names.sort();
  }

  async remove(path: string): Promise<void> {
    const parts = path.split('/');
    const folder = await this.#folder(parts.slice(0, -1), false);
    await folder?.removeEntry(parts[parts.length - 1], { recursive: true }).catch(ignoreMissing);
  }

  async #folder(parts: string[], create: boolean): Promise<FileSystemDirectoryHandle | undefined> {
    let folder: FileSystemDirectoryHandle | undefined = this.#root;
    for (const part of parts) {
      folder = await folder?.getDirectoryHandle(part, { create }).catch(ignoreMissing);
    }
    return folder;
  }

  async #file(path: string, create: boolean): Promise<FileSystemFileHandle | undefined> {
    const parts = path.split('/');
    const folder = await this.#folder(parts.slice(0, -1), create);
    return folder?.getFileHandle(parts[parts.length - 1], { create }).catch(ignoreMissing);
  }
}

function ignoreMissing(error: unknown): undefined {
  if (error instanceof DOMException && error.name === 'NotFoundError') return undefined;
  throw error;
}

/** The private file system, tried; memory where the browser has none or refuses it, as in some private windows. */
export async function openStore(): Promise<Store> {
  try {
    const root = await navigator.storage.getDirectory();
    const store = new PrivateStore(await root.getDirectoryHandle('transfusion', { create: true }));
    await store.write('probe', Uint8Array.of(1));
    await store.remove('probe');
    return store;
  } catch {
    return new MemoryStore();
  }
}
