/** @file Perplexity of a language model. */
import { checkCount, unmeasurable } from './errors.js';

/**
 * exp of the mean negative log-likelihood of a token. Of models with different tokenizers it cannot be compared: see `bitsPerByte`.
 *
 * @param options.negativeLogLikelihood summed over the tokens, in nats
 * @param options.tokens how many it was summed over
 * @returns 1 for a model that is certain and right, the size of the vocabulary for one that knows nothing; Infinity past 1.8e308
 * @throws TransfusionError EVALUATION_VALUE
 */
export function perplexity(options: { negativeLogLikelihood: number; tokens: number }): number {
  checkLikelihood('perplexity', options.negativeLogLikelihood);
  checkCount('perplexity: tokens', options.tokens);
  return Math.exp(options.negativeLogLikelihood / options.tokens);
}

/** A probability is at most 1. */
export function checkLikelihood(metric: string, negativeLogLikelihood: number): void {
  if (negativeLogLikelihood >= 0 && negativeLogLikelihood < Number.POSITIVE_INFINITY) return;
  throw unmeasurable(
    `${metric}: negativeLogLikelihood is ${negativeLogLikelihood}, expected a finite number from 0 on`,
    'sum -log p of each token: nats, positive',
  );
}
