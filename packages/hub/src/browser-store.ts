/**
 * @file What a browser keeps for a page: OPFS, the file system of the page's origin. The Cache API would do for whole files, but it takes
 * an answer only as it ends well; here a download is kept as it comes, in pieces, and goes on with the next one after the page was closed.
 * A file is a folder of pieces, each named by where it begins, and never joined: joining would write everything twice.
 */
import { reason, TransfusionError } from '@transfusion/core';
import { type HashAlgorithm, hashOf, type PartialFile } from './download.js';
import { HubError } from './errors.js';
import type { HubStore } from './store.js';
import type { HubFile } from './tree.js';

/** A page that is closed loses no more than one piece. */
const PIECE_BYTES = 2 ** 23;
/** What an ArrayBuffer holds in every browser, which a file is when it is hashed. */
const MOST_BYTES = 2 ** 31 - 2 ** 16;
const ROOT = 'transfusion-hub';
/** Beside the pieces: they have the right hash. */
const WHOLE = 'whole';

export class BrowserStore implements HubStore {
  readonly #model: string;
  readonly #root: () => Promise<FileSystemDirectoryHandle>;
  readonly #signal: AbortSignal | undefined;

  /** @param root for tests; default: that of the page's origin */
  constructor(
    model: string,
    { root = originRoot, signal }: { root?: () => Promise<FileSystemDirectoryHandle>; signal?: AbortSignal } = {},
  ) {
    this.#model = ['models', ...model.split('/')].join('--');
    this.#root = root;
    this.#signal = signal;
  }

  async commitOf(revision: string): Promise<string | undefined> {
    return this.#text('refs', encodeURIComponent(revision));
  }

  keepCommit(revision: string, commit: string): Promise<void> {
    return this.#write('refs', encodeURIComponent(revision), commit);
  }

  tree(commit: string): Promise<string | undefined> {
    return this.#text('trees', `${commit}.json`);
  }

  keepTree(commit: string, text: string): Promise<void> {
    return this.#write('trees', `${commit}.json`, text);
  }

  async has(_commit: string, _path: string, file: HubFile): Promise<boolean> {
    const folder = await this.#existing('blobs', file.hash);
    return (
      folder !== undefined &&
      (await fileIn(folder, WHOLE)) !== undefined &&
      lengthOf(await piecesOf(folder)) === file.size
    );
  }

  async hash(_commit: string, path: string, file: HubFile): Promise<string> {
    return this.#guard(async () => hashOf(file, async (...of) => hashPieces(await this.pieces(path, file), ...of)));
  }

  async drop(_commit: string, _path: string, file: HubFile): Promise<void> {
    await this.#guard(async () => clear(await this.#folder('blobs', file.hash)));
  }

  /** Pages of an origin share files: one of them fetches, others wait. */
  async keep(
    commit: string,
    path: string,
    file: HubFile,
    fill: (partial: PartialFile) => Promise<void>,
  ): Promise<void> {
    await withLock(`${ROOT}/${this.#model}/${file.hash}`, this.#signal, () =>
      this.#guard(async () => {
        if (await this.has(commit, path, file)) return;
        if (file.size > MOST_BYTES) throw tooLarge(path, file.size);
        const folder = await this.#folder('blobs', file.hash);
        if (await fileIn(folder, WHOLE)) await folder.removeEntry(WHOLE);
        const partial = await PiecedFile.open(folder);
        try {
          await fill(partial);
        } finally {
          await partial.flush();
        }
        await write(folder, WHOLE, '');
      }),
    );
  }

  /** The pieces of a kept file, in order. */
  async pieces(path: string, file: HubFile): Promise<File[]> {
    const folder = await this.#existing('blobs', file.hash);
    if (folder) return piecesOf(folder);
    throw new HubError({
      code: 'HUB_CACHE',
      message: `the browser keeps ${path} no longer`,
      fix: 'fetch the model again; navigator.storage.persist() asks the browser to keep it',
    });
  }

  async #folder(...names: string[]): Promise<FileSystemDirectoryHandle> {
    let folder = await this.#root();
    for (const name of [ROOT, this.#model, ...names]) folder = await folder.getDirectoryHandle(name, { create: true });
    return folder;
  }

  async #existing(...names: string[]): Promise<FileSystemDirectoryHandle | undefined> {
    return this.#guard(async () => {
      let folder = await this.#root();
      for (const name of [ROOT, this.#model, ...names]) {
        const next = await orUndefined(folder.getDirectoryHandle(name));
        if (!next) return undefined;
        folder = next;
      }
      return folder;
    });
  }

  async #text(folder: string, name: string): Promise<string | undefined> {
    const found = await this.#existing(folder);
    return found && (await (await fileIn(found, name))?.text());
  }

  async #write(folder: string, name: string, text: string): Promise<void> {
    await this.#guard(async () => write(await this.#folder(folder), name, text));
  }

  /** Errors of the browser's storage in words; others pass. */
  async #guard<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      const name = String((error as { name?: unknown } | null)?.name);
      if (TransfusionError.isInstance(error) || !(name in FIXES)) throw error;
      throw new HubError({
        code: 'HUB_CACHE',
        message: `the browser cannot keep files of ${this.#model}: ${reason(error)}`,
        fix: FIXES[name],
        cause: error,
      });
    }
  }
}

const FIXES: Record<string, string> = {
  QuotaExceededError:
    'its room is used up: free some space, or clear the data of other sites; what was fetched is kept',
  SecurityError:
    'it allows pages no storage here: serve the page by https:// or from localhost, not in a private window',
  NotAllowedError: 'it allows this page no storage: serve it by https:// or from localhost',
  NoModificationAllowedError: 'another page has the file open: close it',
  NotReadableError: 'the files were removed or changed by another page: load this one again',
  InvalidStateError: 'the files were removed by another page: load this one again',
};

async function originRoot(): Promise<FileSystemDirectoryHandle> {
  const storage = globalThis.navigator?.storage;
  if (storage?.getDirectory) return storage.getDirectory();
  throw tooOld();
}

function tooOld(): HubError {
  return new HubError({
    code: 'HUB_CACHE',
    message: 'this page has no navigator.storage.getDirectory with createWritable, where files are kept',
    fix: 'serve the page by https:// or from localhost, in a browser of 2025 or later; in Node import @transfusion/hub/node',
  });
}

function tooLarge(path: string, size: number): HubError {
  return new HubError({
    code: 'HUB_CACHE',
    message: `${path} has ${size} bytes, more than the ${MOST_BYTES} that a page can check`,
    fix: 'take a model in smaller files: `trainer export --hub` writes none of more than 256 MB',
  });
}

/** Bytes on their way into pieces. */
class PiecedFile implements PartialFile {
  length: number;
  readonly #folder: FileSystemDirectoryHandle;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;

  private constructor(folder: FileSystemDirectoryHandle, length: number) {
    this.#folder = folder;
    this.length = length;
  }

  static async open(folder: FileSystemDirectoryHandle): Promise<PiecedFile> {
    return new PiecedFile(folder, lengthOf(await piecesOf(folder)));
  }

  async append(bytes: Uint8Array): Promise<void> {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.length += bytes.length;
    if (this.#waitingBytes >= PIECE_BYTES) await this.flush();
  }

  async restart(): Promise<void> {
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.length = 0;
    await clear(this.#folder);
  }

  async hash(algorithm: HashAlgorithm, prefix: Uint8Array): Promise<string> {
    await this.flush();
    return hashPieces(await piecesOf(this.#folder), algorithm, prefix);
  }

  async flush(): Promise<void> {
    if (this.#waitingBytes === 0) return;
    const name = String(this.length - this.#waitingBytes);
    await write(this.#folder, name, new Blob(this.#waiting as BlobPart[]));
    this.#waiting = [];
    this.#waitingBytes = 0;
  }
}

/** Pieces that follow one another from the start; others are of a try that was interrupted. */
async function piecesOf(folder: FileSystemDirectoryHandle): Promise<File[]> {
  const pieces: File[] = [];
  for (let at = 0; ; ) {
    const piece = await fileIn(folder, String(at));
    if (!piece || piece.size === 0) return pieces;
    pieces.push(piece);
    at += piece.size;
  }
}

function lengthOf(pieces: readonly File[]): number {
  return pieces.reduce((sum, { size }) => sum + size, 0);
}

async function fileIn(folder: FileSystemDirectoryHandle, name: string): Promise<File | undefined> {
  return (await orUndefined(folder.getFileHandle(name)))?.getFile();
}

/** A file is whole, or not there. */
async function write(folder: FileSystemDirectoryHandle, name: string, content: string | Blob): Promise<void> {
  const handle = await folder.getFileHandle(name, { create: true });
  if (!handle.createWritable) throw tooOld();
  const stream = await handle.createWritable();
  try {
    await stream.write(content);
  } catch (error) {
    await stream.abort().catch(() => {});
    throw error;
  }
  await stream.close();
}

async function clear(folder: FileSystemDirectoryHandle): Promise<void> {
  const names: string[] = [];
  for await (const name of folder.keys()) names.push(name);
  // What says that it is whole goes first.
  for (const name of names.sort().reverse()) await folder.removeEntry(name);
}

async function orUndefined<T>(pending: Promise<T>): Promise<T | undefined> {
  try {
    return await pending;
  } catch (error) {
    if ((error as { name?: unknown } | null)?.name === 'NotFoundError') return undefined;
    throw error;
  }
}

/** `crypto.subtle` takes a file at once: as much memory as the file, for a moment. */
async function hashPieces(pieces: readonly File[], algorithm: HashAlgorithm, prefix: Uint8Array): Promise<string> {
  const bytes = await new Blob([prefix as BlobPart, ...pieces]).arrayBuffer();
  const digest = new Uint8Array(await globalThis.crypto.subtle.digest(algorithm, bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function withLock(name: string, signal: AbortSignal | undefined, action: () => Promise<void>): Promise<void> {
  const locks = globalThis.navigator?.locks;
  if (!locks) return action();
  await locks.request(name, signal ? { signal } : {}, action);
}
