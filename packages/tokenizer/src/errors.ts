/** @file The errors of this package. */
import { TransfusionError } from '@transfusion/core';

export type TokenizerErrorCode =
  | 'TOKENIZER_FORMAT'
  | 'TOKENIZER_TOO_LARGE'
  | 'TOKENIZER_UNSUPPORTED'
  | 'TOKENIZER_CONTROL_TOKENS'
  | 'TOKENIZER_ID_RANGE'
  | 'TOKENIZER_TRAINING'
  | 'TOKENIZER_TRAINER_MISSING';

/** An error of this package: a stable code, what disagrees, and what to do. */
export class TokenizerError extends TransfusionError<TokenizerErrorCode> {
  override readonly name = 'TokenizerError';
}
