/** @file The errors of this package. */
import { TransfusionError } from '@transfusion/core';

export type CheckpointErrorCode =
  /** A folder or file is not there. */
  | 'CHECKPOINT_MISSING'
  /** A file is truncated or damaged, or was never what its name says. */
  | 'CHECKPOINT_FORMAT'
  /** The file is intact, but does not hold what was asked for; or what is to be written is no tensor. */
  | 'CHECKPOINT_CONTENT'
  /** What was given is not of the kind that the function takes. */
  | 'CHECKPOINT_ARGUMENT'
  | 'CHECKPOINT_READ_FAILED'
  | 'CHECKPOINT_WRITE_FAILED';

/** An error of this package: a stable code, what disagrees, and what to do. */
export class CheckpointError extends TransfusionError<CheckpointErrorCode> {
  override readonly name = 'CheckpointError';
}
