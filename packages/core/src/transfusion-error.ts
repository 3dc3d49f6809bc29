/** @file The error every package throws: a stable code, what disagrees, and what to do. */

const MARKER = Symbol.for('@transfusion/error');

export interface TransfusionErrorOptions<Code extends string = string> {
  code: Code;
  /** What, where, and what was expected. */
  message: string;
  fix?: string;
  cause?: unknown;
}

/**
 * An error made for the person who reads it. Recognise it with `TransfusionError.isInstance`, which also works across
 * two installed copies of a package. A package with a closed list of codes has a subclass with that list as its type.
 */
export class TransfusionError<Code extends string = string> extends Error {
  readonly [MARKER] = true;
  override readonly name: string = 'TransfusionError';
  /** Stable and machine-readable, e.g. `TENSOR_SHAPE_MISMATCH`. */
  readonly code: Code;
  /** What the reader can do about it. */
  readonly fix: string | undefined;

  constructor(options: TransfusionErrorOptions<Code>) {
    super(`${options.code}: ${options.message}${options.fix ? `\n  fix: ${options.fix}` : ''}`, {
      cause: options.cause,
    });
    this.code = options.code;
    this.fix = options.fix;
  }

  /** Whether it is an error of any package of the project, of whichever class. */
  static isInstance(error: unknown): error is TransfusionError {
    return typeof error === 'object' && error !== null && (error as Record<symbol, unknown>)[MARKER] === true;
  }
}

/** The message of anything thrown; of a file that is not there, or is none, in plain words. */
export function reason(error: unknown): string {
  const plain = PLAIN[String((error as { code?: unknown } | null | undefined)?.code)];
  if (plain !== undefined) return plain;
  return error instanceof Error ? error.message : String(error);
}

const PLAIN: Record<string, string | undefined> = { ENOENT: 'it does not exist', EISDIR: 'it is a folder' };
