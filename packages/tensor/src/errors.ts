/** @file The error every package throws: a stable code, what disagrees, and what to do. */

const MARKER = Symbol.for('@transfusion/error');

/**
 * An error made for the person who reads it. Recognise it with `TransfusionError.isInstance`, which also works across
 * two installed copies of a package.
 */
export class TransfusionError extends Error {
  readonly [MARKER] = true;
  /** Stable and machine-readable, e.g. `TENSOR_SHAPE_MISMATCH`. */
  readonly code: string;
  /** What the reader can do about it. */
  readonly fix: string | undefined;

  constructor(options: { code: string; message: string; fix?: string; cause?: unknown }) {
    super(`${options.code}: ${options.message}${options.fix ? `\n  fix: ${options.fix}` : ''}`, {
      cause: options.cause,
    });
    this.name = 'TransfusionError';
    this.code = options.code;
    this.fix = options.fix;
  }

  static isInstance(error: unknown): error is TransfusionError {
    return typeof error === 'object' && error !== null && (error as Record<symbol, unknown>)[MARKER] === true;
  }
}

/** A tensor program or buffer does not fit the device. Thrown before anything is allocated. */
export class OutOfMemoryError extends TransfusionError {
  constructor(options: { message: string; fix?: string }) {
    super({ code: 'OUT_OF_MEMORY', ...options });
    this.name = 'OutOfMemoryError';
  }
}

/** A backend cannot be opened, or was lost while running. */
export class BackendError extends TransfusionError {
  constructor(options: {
    code: 'BACKEND_UNAVAILABLE' | 'DEVICE_LOST' | 'BACKEND_DISPOSED' | 'KERNEL_FAILED';
    message: string;
    fix?: string;
    cause?: unknown;
  }) {
    super(options);
    this.name = 'BackendError';
  }
}
