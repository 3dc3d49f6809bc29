/** @file That a cache cannot be written, in one way for all that keep something there. */
import { reason, TransfusionError } from '@transfusion/core';

export function cacheUnwritable(path: string, cause: unknown): TransfusionError {
  return new TransfusionError({
    code: 'DATA_CACHE_UNWRITABLE',
    message: `cannot write ${path}: ${reason(cause)}`,
    fix: 'give a writable cache folder with enough space',
    cause,
  });
}
