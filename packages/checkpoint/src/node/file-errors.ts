/** @file Errors of the file system, in words. */
import { reason, TransfusionError } from '@transfusion/core';
import { CheckpointError, type CheckpointErrorCode } from '../errors.js';

const WRITE_FIXES: Record<string, string> = {
  ENOSPC: 'the disk is full: free some space, or write elsewhere',
  EDQUOT: 'the disk quota is used up: free some space, or write elsewhere',
  EFBIG: 'the file system allows no file this large: write elsewhere',
  EACCES: 'permission is missing: write elsewhere, or change the permissions',
  EPERM: 'permission is missing, or another program has the folder open',
  EBUSY: 'another program has the folder open',
  EROFS: 'the file system is read-only: write elsewhere',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EEXIST: 'a file is in the way: choose another path',
};

const READ_FIXES: Record<string, string> = {
  EACCES: 'permission to read it is missing: change its permissions or those of its folder',
  EPERM: 'permission to read it is missing: change its permissions or those of its folder',
  EBUSY: 'another program has it open',
  EISDIR: 'it is a folder: give a file',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EMFILE: 'too many files are open: close some, or allow more (`ulimit -n`)',
};

export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** Wraps an error of the file system; errors of this and the project's other packages pass unchanged. */
export function fileError(code: CheckpointErrorCode, what: string, error: unknown): Error {
  if (TransfusionError.isInstance(error)) return error;
  return new CheckpointError({
    code,
    message: `${what}: ${reason(error)}`,
    fix: (code === 'CHECKPOINT_READ_FAILED' ? READ_FIXES : WRITE_FIXES)[errorCode(error) ?? ''],
    cause: error,
  });
}
