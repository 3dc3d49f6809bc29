/** @file Ancestral sampling (Ho et al., arXiv 2006.11239, algorithm 2) with the posterior variance. */
import { z } from 'zod';
import type { NoiseLevel } from '../noise-schedule.js';
import { type ConfigOf, planSteps, type SamplerDefinition, type SamplerRun } from './definition.js';
import { cosineFields, cosineTimesteps } from './fields.js';

const schema = z.strictObject({ type: z.literal('ddpm'), ...cosineFields });

export const ddpm = {
  schema,
  schedule: 'cosine',
  plan: (run: SamplerRun<ConfigOf<typeof schema>>) =>
    planSteps(run, cosineTimesteps(run), ({ current, next }) => {
      const { sample, x0, variance } = posterior(current, next);
      return { sample, x0, noise: Math.sqrt(variance) };
    }),
} satisfies SamplerDefinition;

/**
 * `q(x_previous | x_t, x0)` (arXiv 2006.11239, equations 6 and 7), where the two levels need not be neighbours: alpha
 * is `signal^2 / previousSignal^2`, beta is 1 - alpha.
 */
export function posterior(current: NoiseLevel, previous: NoiseLevel): { sample: number; x0: number; variance: number } {
  const alpha = (current.signal / previous.signal) ** 2;
  const noiseVariance = current.noise ** 2;
  const previousNoiseVariance = previous.noise ** 2;
  return {
    sample: (previousNoiseVariance * Math.sqrt(alpha)) / noiseVariance,
    x0: ((1 - alpha) * previous.signal) / noiseVariance,
    variance: ((1 - alpha) * previousNoiseVariance) / noiseVariance,
  };
}
