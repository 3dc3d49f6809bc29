/** @file A folder written whole or not at all. */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { CheckpointError } from '../errors.js';
import { isFileName, NAME_FIX } from '../file-names.js';
import {
  carryOver,
  type FileContent,
  renameFolder,
  syncFolder,
  syncFolders,
  writeDurableFile,
} from './durable-files.js';
import { fileError } from './file-errors.js';
import { settleVersions } from './folder-versions.js';
import { writeSums } from './write-sums.js';

export interface WriteFolderOptions {
  /**
   * Names that belong to the writer: in a folder that is replaced, files of these names go even if they are not written
   * again. Files of other names are kept. Default: none but those written.
   */
  owned?: readonly (string | RegExp)[];
  /**
   * A folder that exists is replaced only if it has all these files, of a list one at least, so that a mistyped path harms
   * nothing. Default: the first file written.
   */
  marks?: readonly (string | readonly string[])[];
  /** Names that a folder without the marks may have nevertheless. Default: none, it must be empty. */
  companions?: readonly string[];
  /** Which files' hashes are written beside them, in SHA256SUMS, in the same step. Default: none, and no such file. */
  sums?: (name: string) => boolean;
}

function checkName(name: string): void {
  if (isFileName(name)) return;
  throw new CheckpointError({
    code: 'CHECKPOINT_WRITE_FAILED',
    message: `${JSON.stringify(name)} is no name of a file inside a folder`,
    fix: NAME_FIX,
  });
}

/** Whether there is a folder to replace; throws where it must not be. */
async function checkExisting(
  path: string,
  { marks = [], companions = [] }: Pick<WriteFolderOptions, 'marks' | 'companions'>,
): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return false;
  if (!found.isDirectory()) {
    throw new CheckpointError({
      code: 'CHECKPOINT_WRITE_FAILED',
      message: `${path} is a file, expected a folder or nothing`,
      fix: 'choose another path',
    });
  }
  const names = await readdir(path);
  const missing = marks.map((mark) => [mark].flat()).filter((mark) => !mark.some((name) => names.includes(name)));
  const foreign = names.find((name) => !companions.includes(name));
  if (foreign !== undefined && missing.length > 0) {
    throw new CheckpointError({
      code: 'CHECKPOINT_WRITE_FAILED',
      message: `${path} exists, has ${JSON.stringify(foreign)} and no ${missing.map(([name]) => name).join(', ')}: it is not replaced, since it holds something else`,
      fix: 'choose another path, or empty that folder',
    });
  }
  return true;
}

function isNamed(owned: string | RegExp, name: string): boolean {
  return typeof owned === 'string' ? owned === name : owned.test(name);
}

/**
 * Writes a folder so that a reader, or the next start after a crash at any moment, finds either the previous version
 * or this one, complete: see `locateFolder`. All files are on the disk before anything is replaced.
 *
 * @param files contents by name; `/` separates folders
 * @throws CheckpointError CHECKPOINT_WRITE_FAILED; the previous version is then untouched and nothing else is left
 */
export async function writeFolder(
  path: string,
  files: Record<string, FileContent>,
  options: WriteFolderOptions = {},
): Promise<void> {
  const names = Object.keys(files);
  const { owned = [], marks = names.slice(0, 1), companions = [] } = options;
  names.forEach(checkName);
  const target = resolve(path);
  const temporary = `${target}.tmp-${process.pid}-${randomUUID().slice(0, 8)}`;
  try {
    await mkdir(dirname(target), { recursive: true });
    const number = await settleVersions(target);
    const existing = await checkExisting(target, { marks, companions });
    await mkdir(temporary);
    for (const name of names) await writeDurableFile(join(temporary, name), files[name]);
    if (options.sums) await writeSums(temporary, options.sums);
    if (existing) await carryOver(target, temporary, (name) => owned.some((each) => isNamed(each, name)));
    await syncFolders(temporary);

    const complete = `${target}.new-${number}`;
    const old = `${target}.old-${number}`;
    await renameFolder(temporary, complete);
    if (existing) {
      try {
        await renameFolder(target, old);
      } catch (error) {
        await rm(complete, { recursive: true, force: true });
        throw error;
      }
    }
    await renameFolder(complete, target);
    // What cannot be removed now is removed by the next writer.
    if (existing) await rm(old, { recursive: true, force: true }).catch(() => {});
    await syncFolder(dirname(target));
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw fileError('CHECKPOINT_WRITE_FAILED', `cannot write ${path}`, error);
  }
}
