/** @file Song et al., arXiv 2010.02502, equation 12: deterministic at eta 0, the posterior's variance at eta 1. */
import { z } from 'zod';
import {
  alongEpsilon,
  type ConfigOf,
  planSteps,
  type SamplerDefinition,
  type SamplerRun,
  transitionVariance,
} from './definition.js';
import { spacedFields, stepOptions, wholeTimesteps } from './fields.js';

const schema = z.strictObject({
  type: z.literal('ddim'),
  ...spacedFields,
  eta: stepOptions.eta,
});

export const ddim = {
  schema,
  schedules: ['cosine', 'flow'],
  plan: (run: SamplerRun<ConfigOf<typeof schema>>) =>
    planSteps(run, wholeTimesteps(run), ({ current, next }) => {
      const ancestral = (next.noise / current.noise) * Math.sqrt(transitionVariance(current, next));
      const sigma = run.config.eta * ancestral;
      const epsilonWeight = Math.sqrt(Math.max(next.noise ** 2 - sigma ** 2, 0));
      return { ...alongEpsilon(current, next, epsilonWeight), noise: sigma };
    }),
} satisfies SamplerDefinition;
