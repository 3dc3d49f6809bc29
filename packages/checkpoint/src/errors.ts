/** The mark by which `TransfusionError.isInstance` of @transfusion/tensor knows every error of these packages. */
const MARKER = Symbol.for('@transfusion/error');

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
  | 'CHECKPOINT_WRITE_FAILED'
  | 'CONFIG_INVALID';

/** An error of this package: a stable code, what disagrees, and what to do. */
export class CheckpointError extends Error {
  readonly [MARKER] = true;
  readonly code: CheckpointErrorCode;
  readonly fix: string | undefined;

  constructor(options: { code: CheckpointErrorCode; message: string; fix?: string; cause?: unknown }) {
    super(`${options.code}: ${options.message}${options.fix ? `\n  fix: ${options.fix}` : ''}`, {
      cause: options.cause,
    });
    this.name = 'CheckpointError';
    this.code = options.code;
    this.fix = options.fix;
  }
}

/** Whether it is an error of this or another package of the project: it has its own code and fix. */
export function isProjectError(error: unknown): error is Error {
  return typeof error === 'object' && error !== null && (error as Record<symbol, unknown>)[MARKER] === true;
}

/** The message of anything thrown. */
export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
