/** @file The errors of this package. */

/** The mark by which `TransfusionError.isInstance` of @transfusion/tensor knows every error of these packages. */
const MARKER = Symbol.for('@transfusion/error');

export type TokenizerErrorCode =
  | 'TOKENIZER_FORMAT'
  | 'TOKENIZER_TOO_LARGE'
  | 'TOKENIZER_UNSUPPORTED'
  | 'TOKENIZER_CONTROL_TOKENS'
  | 'TOKENIZER_ID_RANGE'
  | 'TOKENIZER_TRAINING'
  | 'TOKENIZER_TRAINER_MISSING';

/** An error of this package: a stable code, what disagrees, and what to do. */
export class TokenizerError extends Error {
  readonly [MARKER] = true;
  readonly code: TokenizerErrorCode;
  readonly fix: string | undefined;

  constructor(options: { code: TokenizerErrorCode; message: string; fix?: string; cause?: unknown }) {
    super(`${options.code}: ${options.message}${options.fix ? `\n  fix: ${options.fix}` : ''}`, {
      cause: options.cause,
    });
    this.name = 'TokenizerError';
    this.code = options.code;
    this.fix = options.fix;
  }
}
