/** @file Files and folders that are on the disk once these functions return. */
import { copyFile, link, lstat, mkdir, open, readdir, readlink, rename, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { asBytes } from '../bytes.js';
import { errorCode } from './file-errors.js';

/** What a file is made of: text, bytes, or bytes piece by piece (large files need not be in memory twice). */
export type FileContent = string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

async function* pieces(content: FileContent, path: string): AsyncGenerator<Uint8Array> {
  const isInPieces = (value: object) => Symbol.iterator in value || Symbol.asyncIterator in value;
  if (typeof content === 'string') yield new TextEncoder().encode(content);
  else if (ArrayBuffer.isView(content) || Array.isArray(content) || !isInPieces(Object(content)))
    yield asBytes(content, path);
  else for await (const piece of content as AsyncIterable<Uint8Array>) yield asBytes(piece, path);
}

/** Creates a file that must not exist yet, and its folder. */
export async function writeDurableFile(path: string, content: FileContent): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const handle = await open(path, 'wx');
  try {
    for await (const piece of pieces(content, path)) {
      for (let at = 0; at < piece.length; ) {
        const { bytesWritten } = await handle.write(piece, at, Math.min(piece.length - at, 2 ** 28));
        at += bytesWritten;
      }
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes the entries of a folder durable. Windows cannot, and need not: its renames are journalled. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** `syncFolder` for a folder and every folder in it. */
export async function syncFolders(path: string): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncFolders(join(path, entry.name));
  }
  await syncFolder(path);
}

/** Renames a folder, durably. On Windows virus scanners and indexers hold folders open for moments: try again. */
export async function renameFolder(from: string, to: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await rename(from, to);
      break;
    } catch (error) {
      const isTransient = ['EPERM', 'EACCES', 'EBUSY'].includes(errorCode(error) ?? '');
      if (process.platform !== 'win32' || !isTransient || attempt === 8) throw error;
      await delay(10 * 2 ** attempt);
    }
  }
  await syncFolder(dirname(to));
}

/**
 * Brings what stands in folder `from` into folder `to`, where nothing of that name stands there yet: files as hard links
 * (copies where the file system has none). `skip` says which top-level names stay behind.
 */
export async function carryOver(from: string, to: string, skip: (name: string) => boolean): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (skip(entry.name)) continue;
    const source = join(from, entry.name);
    const target = join(to, entry.name);
    if (entry.isDirectory()) {
      await mkdir(target, { recursive: true });
      await carryOver(source, target, () => false);
    } else if ((await lstat(target).catch(() => undefined)) === undefined) {
      if (entry.isSymbolicLink()) await symlink(await readlink(source), target);
      else if (entry.isFile()) await link(source, target).catch(() => copyFile(source, target));
    }
  }
}
