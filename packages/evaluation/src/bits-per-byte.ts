/** @file Bits per byte of a language model: its perplexity, whatever the tokenizer. */
import { checkCount } from './errors.js';
import { checkLikelihood } from './perplexity.js';

/**
 * negativeLogLikelihood / (ln 2 bytes): the size that the model would compress a byte of text to, in bits (the Pile, Gao et al. 2020,
 * section 3.1).
 *
 * @param options.negativeLogLikelihood summed over all tokens of the text, in nats
 * @param options.bytes of the same text: see `utf8Bytes`
 * @returns 8 for a model that knows nothing of bytes
 * @throws TransfusionError EVALUATION_VALUE
 */
export function bitsPerByte(options: { negativeLogLikelihood: number; bytes: number }): number {
  checkLikelihood('bitsPerByte', options.negativeLogLikelihood);
  checkCount('bitsPerByte: bytes', options.bytes);
  return options.negativeLogLikelihood / (Math.LN2 * options.bytes);
}

/** Length of a text in UTF-8. */
export function utf8Bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}
