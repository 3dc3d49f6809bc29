/** @file Song et al., arXiv 2010.02502, equation 12: deterministic at eta 0, the posterior's variance at eta 1. */
import { z } from 'zod';
import { alongEpsilon, type ConfigOf, planSteps, type SamplerDefinition, type SamplerRun } from './definition.js';
import { cosineFields, cosineTimesteps, stepOptions } from './fields.js';

const schema = z.strictObject({
  type: z.literal('ddim'),
  ...cosineFields,
  eta: stepOptions.eta,
});

export const ddim = {
  schema,
  schedule: 'cosine',
  plan: (run: SamplerRun<ConfigOf<typeof schema>>) =>
    planSteps(run, cosineTimesteps(run), ({ current, next }) => {
      const ancestral = (next.noise / current.noise) * Math.sqrt(1 - (current.signal / next.signal) ** 2);
      const sigma = run.config.eta * ancestral;
      const epsilonWeight = Math.sqrt(Math.max(next.noise ** 2 - sigma ** 2, 0));
      return { ...alongEpsilon(current, next, epsilonWeight), noise: sigma };
    }),
} satisfies SamplerDefinition;
