/** @file Ancestral sampling (Ho et al., arXiv 2006.11239, algorithm 2) with the posterior variance. */
import { z } from 'zod';
import type { NoiseLevel } from '../noise-schedule.js';
import { type ConfigOf, planSteps, type SamplerDefinition, type SamplerRun, transitionVariance } from './definition.js';
import { spacedFields, wholeTimesteps } from './fields.js';

const schema = z.strictObject({ type: z.literal('ddpm'), ...spacedFields });

export const ddpm = {
  schema,
  schedules: ['cosine', 'flow'],
  plan: (run: SamplerRun<ConfigOf<typeof schema>>) =>
    planSteps(run, wholeTimesteps(run), ({ current, next }) => {
      const { sample, x0, variance } = posterior(current, next);
      return { sample, x0, noise: Math.sqrt(variance) };
    }),
} satisfies SamplerDefinition;

/**
 * `q(x_previous | x_t, x0)` (arXiv 2006.11239, equations 6 and 7), where the two levels need not be neighbours: the root of alpha
 * is `signal / previousSignal`, beta is the variance that the way between them adds.
 */
export function posterior(current: NoiseLevel, previous: NoiseLevel): { sample: number; x0: number; variance: number } {
  const rootAlpha = current.signal / previous.signal;
  const beta = transitionVariance(current, previous);
  const noiseVariance = current.noise ** 2;
  const previousNoiseVariance = previous.noise ** 2;
  return {
    sample: (previousNoiseVariance * rootAlpha) / noiseVariance,
    x0: (beta * previous.signal) / noiseVariance,
    variance: (beta * previousNoiseVariance) / noiseVariance,
  };
}
