/** @file An error as a person should see it, and the exit code that goes with it. */
import { TransfusionError } from '@transfusion/tensor';
import pc from 'picocolors';
import type { Terminal } from './terminal.js';

/** Codes of failures that are not the input's fault: the machine's, or the program's own. */
const RUNTIME_CODES = new Set([
  'CHECKPOINT_WRITE_FAILED',
  'DATA_CACHE_UNWRITABLE',
  'DISTRIBUTED_MPI',
  'DISTRIBUTED_RANK_LOST',
  'OUTPUT_UNWRITABLE',
  'HUB_ANSWER',
  'HUB_CACHE',
  'HUB_HASH',
  'HUB_NETWORK',
  'DEVICE_LOST',
  'KERNEL_FAILED',
  'TRAINING_DIVERGED',
]);

/** Writes the message, without a stack where it is one of ours. Exit code: 2 for bad input, 1 for a failure while running. */
export function reportError(error: unknown, terminal: Pick<Terminal, 'log'>): 1 | 2 {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: string };
  if (TransfusionError.isInstance(error) || isSystemError(code)) {
    terminal.log(pc.red(message ?? String(error)));
    return TransfusionError.isInstance(error) && !RUNTIME_CODES.has(error.code) ? 2 : 1;
  }
  terminal.log(pc.red(error instanceof Error ? (error.stack ?? error.message) : String(error)));
  return 1;
}

/** Node's own, such as ENOSPC and EACCES. */
function isSystemError(code: unknown): boolean {
  return typeof code === 'string' && /^E[A-Z]+$/.test(code);
}
