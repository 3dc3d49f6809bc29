/**
 * @file Which timesteps training draws, and how often.
 *
 * A distribution over the noise fraction `f = (timestep + 1) / trainTimesteps`, 1 being pure noise. On the flow schedule f is the
 * noise level itself; on the cosine schedule it is the share of the schedule, whose noise level is close to `sin(f pi / 2)`.
 */
import { z } from 'zod';
import { normalCdf } from './normal-distribution.js';

export const timestepDistributionSchema = z
  .strictObject({
    distribution: z
      .enum(['uniform', 'logit-normal'])
      .default('uniform')
      .describe(
        'of the noise fraction (timestep + 1) / trainTimesteps, 1 being noise. uniform: all timesteps alike (the paper); logit-normal: its logit is normal (arXiv 2403.03206, section 3.1)',
      ),
    mean: z
      .number()
      .optional()
      .describe(
        'of the logit, for logit-normal: above 0 more noise, below 0 less; default: 0. JiT (arXiv 2511.13720), whose time runs from noise to image and whose mean is -0.8, is 0.8 here',
      ),
    std: z.number().positive().optional().describe('of the logit, for logit-normal; default: 1 (JiT: 0.8)'),
    shift: z
      .number()
      .positive()
      .default(1)
      .describe(
        'moves the fraction drawn towards noise (above 1) or towards the image (below 1), for images of many patches (arXiv 2403.03206, equation 23); 1: not',
      ),
  })
  .superRefine(({ distribution, ...given }, context) => {
    if (distribution === 'logit-normal') return;
    for (const field of ['mean', 'std'] as const) {
      if (given[field] === undefined) continue;
      const message = `the ${distribution} distribution has none: set distribution to logit-normal, or leave ${field} out`;
      context.addIssue({ code: 'custom', path: [field], message });
    }
  });

export type TimestepDistribution = z.output<typeof timestepDistributionSchema>;

/** The timestep of a uniform number in [0, 1), among those below `limit` (from 1, at most trainTimesteps). It grows with both. */
export type TimestepQuantile = (uniform: number, limit: number) => number;

/** The probability of a noise fraction of at most `fraction`, in [0, 1]. */
export function noiseFractionCdf(distribution: TimestepDistribution, fraction: number): number {
  const { mean = 0, std = 1, shift } = distribution;
  // A shift multiplies f / (1 - f).
  const odds = fraction / (1 - fraction) / shift;
  if (distribution.distribution === 'logit-normal') return normalCdf((Math.log(odds) - mean) / std);
  return odds === Number.POSITIVE_INFINITY ? 1 : odds / (1 + odds);
}

/**
 * The inverse of the distribution over timesteps: of timestep i the probability is that of fractions from `i / trainTimesteps` to
 * `(i + 1) / trainTimesteps`. A limit cuts the distribution off and leaves the timesteps below it in proportion, as if drawing
 * again until one is below. Where it leaves no probability that f64 could hold, its highest timestep is drawn.
 */
export function timestepQuantile(distribution: TimestepDistribution, trainTimesteps: number): TimestepQuantile {
  if (distribution.distribution === 'uniform' && distribution.shift === 1) {
    return (uniform, limit) => Math.floor(uniform * limit);
  }
  const cumulative = Float64Array.from({ length: trainTimesteps }, (_, i) =>
    noiseFractionCdf(distribution, (i + 1) / trainTimesteps),
  );
  return (uniform, limit) => {
    let [low, high] = [0, Math.ceil(limit) - 1];
    const wanted = uniform * cumulative[high];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulative[middle] > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
