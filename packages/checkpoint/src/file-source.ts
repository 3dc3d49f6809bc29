/** @file Where the files of a model come from, whatever that is: a folder of the disk, a server, memory. */
import { CheckpointError } from './errors.js';

/**
 * Files to read, by name: relative, with forward slashes, as in `vae/config.json`. A name that leads out of the folder is
 * an error of every method (CHECKPOINT_ARGUMENT).
 */
export interface FileSource {
  /** What messages call it: a path or an address, without a slash at its end. */
  readonly name: string;
  /** Whether there is a file of that name. @throws CheckpointError CHECKPOINT_READ_FAILED: it cannot be told */
  has(name: string): Promise<boolean>;
  /**
   * Bytes of a file.
   *
   * @throws CheckpointError CHECKPOINT_MISSING; CHECKPOINT_FORMAT: something else is in its place;
   *   CHECKPOINT_READ_FAILED
   */
  size(name: string): Promise<number>;
  /**
   * Fills `target` with the bytes of a file from `begin` on.
   *
   * @throws CheckpointError as `size`; CHECKPOINT_FORMAT: the file ends before, or has changed meanwhile
   */
  read(name: string, begin: number, target: Uint8Array): Promise<void>;
  /**
   * Names of the files and folders of a folder inside, or of the source itself (''), sorted; none where there is no such
   * folder. Left out where a source cannot tell, as a server.
   */
  list?(inside: string): Promise<string[]>;
  /** Frees what it holds. Nothing is read afterwards. */
  close(): Promise<void>;
}

/** There is no such file. @param where names it */
export function missingFile(where: string, cause?: unknown): CheckpointError {
  return new CheckpointError({
    code: 'CHECKPOINT_MISSING',
    message: `file ${where} does not exist`,
    fix: 'check the path',
    cause,
  });
}

/** @throws CheckpointError CHECKPOINT_FORMAT: a file of `size` bytes has not all of [begin, begin + length) */
export function checkRange(where: string, size: number, begin: number, length: number): void {
  if (begin + length <= size) return;
  throw new CheckpointError({
    code: 'CHECKPOINT_FORMAT',
    message: `${where}: ends at byte ${size}, expected ${begin + length}`,
    fix: 'read it again when nothing writes to it; if it stays so, it is cut off: copy it again',
  });
}

/** @param where names the file in the error @throws CheckpointError CHECKPOINT_READ_FAILED: there is no such memory */
export function allocateBytes(length: number, where: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (error) {
    throw new CheckpointError({
      code: 'CHECKPOINT_READ_FAILED',
      message: `${where}: its ${length} bytes do not fit into memory at once`,
      fix: 'take a model in several files of less (`maxShardBytes`), or another machine',
      cause: error,
    });
  }
}
