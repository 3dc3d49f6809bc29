/** @file Output files: found writable before the work starts, and written whole or not at all. */

import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { TransfusionError } from '@transfusion/core';

/**
 * Makes sure that a file can be written at `path`, by making a temporary one in the nearest folder that exists.
 *
 * @throws TransfusionError OUTPUT_UNWRITABLE
 */
export async function checkWritableFile(path: string): Promise<void> {
  if ((await typeOf(path)) === 'folder') throw unwritable(path, 'it is a folder', 'name a file in it');
  await probe(path, dirname(resolve(path)));
}

/**
 * Makes sure that `path` is, or can become, a folder with nothing in it.
 *
 * @throws TransfusionError OUTPUT_UNWRITABLE; OUTPUT_EXISTS: the folder has files, which could be mistaken for new ones
 */
export async function checkWritableFolder(path: string): Promise<void> {
  const type = await typeOf(path);
  if (type === 'file') throw unwritable(path, 'it is a file', 'name a folder');
  if (type === 'folder' && (await readdir(path)).length > 0) {
    throw new TransfusionError({
      code: 'OUTPUT_EXISTS',
      message: `${path} is not empty, and its files could be mistaken for new ones`,
      fix: 'name a new folder, or empty it',
    });
  }
  await probe(path, resolve(path));
}

/** Writes a file and its folder; on failure an earlier file of that name is untouched. @throws TransfusionError OUTPUT_UNWRITABLE */
export async function writeOutputFile(path: string, content: Uint8Array | string): Promise<void> {
  const target = resolve(path);
  const temporary = temporaryName(dirname(target), basename(target));
  try {
    await mkdir(dirname(target), { recursive: true });
    const handle = await open(temporary, 'wx');
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw unwritable(path, reason(error), undefined, error);
  }
}

/** Writes and removes a temporary file in the nearest folder above (or at) `folder`. */
async function probe(path: string, folder: string): Promise<void> {
  let existing = folder;
  while ((await typeOf(existing)) === undefined && existing !== dirname(existing)) existing = dirname(existing);
  const temporary = temporaryName(existing, basename(path));
  try {
    await (await open(temporary, 'wx')).close();
    await rm(temporary);
  } catch (error) {
    throw unwritable(path, reason(error), 'write elsewhere, or change the permissions', error);
  }
}

async function typeOf(path: string): Promise<'file' | 'folder' | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found && (found.isDirectory() ? 'folder' : 'file');
}

function temporaryName(folder: string, name: string): string {
  return join(folder, `.${name.slice(0, 100)}.${process.pid}-${randomUUID().slice(0, 8)}.tmp`);
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function unwritable(path: string, why: string, fix?: string, cause?: unknown): TransfusionError {
  return new TransfusionError({ code: 'OUTPUT_UNWRITABLE', message: `cannot write ${path}: ${why}`, fix, cause });
}
