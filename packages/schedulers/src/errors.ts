/** @file The error this package throws: a stable code, what disagrees, and what to do. */

const MARKER = Symbol.for('@transfusion/error');

/** Carries the same marker as `TransfusionError` of `@transfusion/tensor`, so its `isInstance` recognises this one too. */
export class SchedulerError extends Error {
  readonly [MARKER] = true;
  /** Stable and machine-readable, e.g. `SCHEDULER_TIMESTEPS_UNSET`. */
  readonly code: string;
  /** What the reader can do about it. */
  readonly fix: string | undefined;

  constructor(options: { code: string; message: string; fix?: string; cause?: unknown }) {
    super(`${options.code}: ${options.message}${options.fix ? `\n  fix: ${options.fix}` : ''}`, {
      cause: options.cause,
    });
    this.name = 'SchedulerError';
    this.code = options.code;
    this.fix = options.fix;
  }
}
