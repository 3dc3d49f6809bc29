/** @file Errors of the file system, in words. */
import { reason, TransfusionError } from '@transfusion/core';

/**
 * What `read` gives.
 * @throws TransfusionError DATA_UNREADABLE, naming `what` and `path`, where it fails; its own errors pass unchanged
 */
export async function readInput<T>(what: string, path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (TransfusionError.isInstance(error)) throw error;
    throw new TransfusionError({
      code: 'DATA_UNREADABLE',
      message: `${what} ${path}: ${reason(error)}`,
      fix: 'correct the path, or make it readable',
      cause: error,
    });
  }
}
