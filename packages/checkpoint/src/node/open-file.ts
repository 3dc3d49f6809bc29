/** @file A file of the disk that is open for reading. */
import type { BigIntStats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { CheckpointError } from '../errors.js';
import { missingFile } from '../file-source.js';
import type { OpenFile } from '../safetensors-reader.js';
import { errorCode, fileError } from './file-errors.js';

/** More than this is read in several pieces: what systems take at once is limited. */
const MOST_READ_BYTES = 2 ** 28;

export interface DiskFile extends OpenFile {
  /** Equal as long as nothing writes to the file, and none is put in its place. */
  readonly version: string;
}

/**
 * Opens a file.
 *
 * @param where names it in errors
 * @throws CheckpointError CHECKPOINT_MISSING, CHECKPOINT_FORMAT (a folder or device), CHECKPOINT_READ_FAILED
 */
export async function openFile(path: string, where: string): Promise<DiskFile> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    const stats = await handle.stat({ bigint: true });
    if (!stats.isFile()) {
      throw new CheckpointError({
        code: 'CHECKPOINT_FORMAT',
        message: `${where} is a folder or device, expected a file`,
        fix: 'give the file itself',
      });
    }
    return fileOf(handle, stats, where);
  } catch (error) {
    await handle?.close();
    if (errorCode(error) === 'ENOENT') throw missingFile(where, error);
    throw fileError('CHECKPOINT_READ_FAILED', `cannot read ${where}`, error);
  }
}

function fileOf(handle: FileHandle, stats: BigIntStats, path: string): DiskFile {
  return {
    path,
    size: Number(stats.size),
    version: `${stats.dev}:${stats.ino}:${stats.mtimeNs}:${stats.size}`,
    async read(begin, target) {
      for (let at = 0; at < target.length; ) {
        const length = Math.min(target.length - at, MOST_READ_BYTES);
        const { bytesRead } = await handle.read(target, at, length, begin + at).catch((error: unknown) => {
          throw fileError('CHECKPOINT_READ_FAILED', `cannot read ${path}`, error);
        });
        if (bytesRead === 0) throw shorter(path, begin + at, begin + target.length);
        at += bytesRead;
      }
    },
    close: () => handle.close(),
  };
}

function shorter(path: string, end: number, expected: number): CheckpointError {
  return new CheckpointError({
    code: 'CHECKPOINT_FORMAT',
    message: `${path}: ends at byte ${end}, expected ${expected}: it became shorter while it was read`,
    fix: 'read it again when nothing writes to it',
  });
}
