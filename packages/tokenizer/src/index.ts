/** @file Text to token ids and back. */
export type { ControlTokenName, ControlTokens } from './control-tokens.js';
export { TokenizerError, type TokenizerErrorCode } from './errors.js';
export { type DecodeOptions, Tokenizer, type TokenizerOptions } from './tokenizer.js';
export { type AddedToken, parseTokenizerJson, type TokenizerJson } from './tokenizer-json.js';
