/** @file From next-token logits to a token: greedy, temperature, top-k, top-p, min-p. Host arithmetic in f64. */
import { TransfusionError } from '@transfusion/core';
import { z } from 'zod';

export const textSamplingSchema = z.strictObject({
  temperature: z
    .number()
    .min(0)
    .default(0)
    .describe('divides the logits; 0 takes the most likely token (the paper, section 4.1)'),
  topK: z.int().min(1).optional().describe('samples among the K most likely tokens'),
  topP: z
    .number()
    .gt(0)
    .max(1)
    .optional()
    .describe('samples among the fewest tokens whose probability reaches P (arXiv 1904.09751)'),
  minP: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe('samples among tokens at least P times as likely as the most likely one (arXiv 2407.01082)'),
});

export type TextSampling = z.output<typeof textSamplingSchema>;
export type TextSamplingOptions = z.input<typeof textSamplingSchema>;

export interface TokenProbability {
  id: number;
  probability: number;
}

/**
 * The most likely token; of equals the one with the lowest id.
 *
 * @param logits [vocabulary]; -Infinity for a token that must not come
 * @throws TransfusionError SAMPLER_LOGITS: NaN or +Infinity among them, or nothing else than -Infinity
 */
export function greedyToken(logits: Float32Array): number {
  let best = -1;
  let most = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id];
    if (logit > most) {
      most = logit;
      best = id;
    } else if (Number.isNaN(logit)) throw logitsError(`logit ${id} is NaN`);
  }
  if (best < 0) throw logitsError('every token is excluded');
  if (most === Number.POSITIVE_INFINITY) throw logitsError(`logit ${best} is Infinity`);
  return best;
}

/**
 * The tokens that may be sampled with their probabilities (summing to 1), most likely first, of equals the lower id
 * first. The limits apply one after another: temperature, top-k, top-p, min-p.
 *
 * @throws TransfusionError SAMPLER_LOGITS
 */
export function tokenDistribution(logits: Float32Array, options: TextSampling): TokenProbability[] {
  const { temperature, topK, topP, minP } = options;
  const likeliest = greedyToken(logits);
  if (temperature === 0) return [{ id: likeliest, probability: 1 }];
  const greatest = logits[likeliest];
  const weights: TokenProbability[] = [];
  logits.forEach((logit, id) => {
    const probability = Math.exp((logit - greatest) / temperature);
    if (probability > 0) weights.push({ id, probability });
  });
  weights.sort((a, b) => logits[b.id] - logits[a.id] || a.id - b.id);
  let kept = normalise(topK === undefined ? weights : weights.slice(0, topK));
  if (topP !== undefined) {
    let sum = 0;
    const enough = kept.findIndex(({ probability }) => (sum += probability) >= topP);
    // Rounding may keep the sum of all just below 1.
    kept = normalise(enough < 0 ? kept : kept.slice(0, enough + 1));
  }
  if (minP !== undefined) {
    const least = minP * kept[0].probability;
    kept = normalise(kept.filter(({ probability }) => probability >= least));
  }
  return kept;
}

/**
 * A token drawn by inverting the cumulative distribution.
 *
 * @param uniform in [0, 1); not looked at when the temperature is 0
 * @throws TransfusionError SAMPLER_LOGITS
 */
export function sampleToken(logits: Float32Array, options: TextSampling, uniform: number): number {
  const distribution = tokenDistribution(logits, options);
  let sum = 0;
  const drawn = distribution.find(({ probability }) => (sum += probability) > uniform);
  return (drawn ?? distribution[distribution.length - 1]).id;
}

function normalise(weights: TokenProbability[]): TokenProbability[] {
  const total = weights.reduce((sum, { probability }) => sum + probability, 0);
  return weights.map(({ id, probability }) => ({ id, probability: probability / total }));
}

function logitsError(what: string): TransfusionError {
  return new TransfusionError({
    code: 'SAMPLER_LOGITS',
    message: `no token can be chosen: ${what}`,
    fix: "the model's weights are damaged, or its training diverged: use an earlier checkpoint",
  });
}
