/** @file DPM-Solver++(2M) (Lu et al., arXiv 2211.01095, algorithm 2): second order by remembering the estimate before. */
import { z } from 'zod';
import type { NoiseLevel } from '../noise-schedule.js';
import { alongEpsilon, type ConfigOf, planSteps, type SamplerDefinition, type SamplerRun } from './definition.js';
import { spacedFields, wholeTimesteps } from './fields.js';

const schema = z.strictObject({ type: z.literal('dpmpp_2m'), ...spacedFields });

/**
 * DDIM's step towards an extrapolated x0, `(1 + w) x0 - w earlierX0` with `w = h / (2 h')`: h and h' are what this step and
 * the one before gain in `ln(signal / noise)`. The first step has nothing to extrapolate from; in the last, h is infinite, and
 * so is h' in the step after pure noise of the flow schedule, where w is 0.
 */
export const dpmSolver = {
  schema,
  schedules: ['cosine', 'flow'],
  plan: (run: SamplerRun<ConfigOf<typeof schema>>) =>
    planSteps(run, wholeTimesteps(run), ({ earlier, current, next }) => {
      const { sample, x0 } = alongEpsilon(current, next);
      if (!earlier || next.noise === 0) return { sample, x0 };
      const gain = logSnr(next) - logSnr(current);
      const weight = gain / (2 * (logSnr(current) - logSnr(earlier)));
      return { sample, x0: (1 + weight) * x0, earlierX0: -weight * x0 };
    }),
} satisfies SamplerDefinition;

/** Half the logarithm of the signal-to-noise ratio. */
function logSnr({ signal, noise }: NoiseLevel): number {
  return Math.log(signal / noise);
}
