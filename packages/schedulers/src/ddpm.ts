/** @file Ancestral sampling (Ho et al., arXiv 2006.11239, algorithm 2) with the posterior variance. */
import { z } from 'zod';
import { parseConfig } from './config.js';
import type { NoiseLevel } from './noise-schedule.js';
import { type ObjectiveConfig, objectiveFields } from './objective.js';
import { resolveSchedulerConfig, Scheduler, type Transition } from './scheduler.js';
import { spacedTimesteps, spacingSchema } from './spacing.js';

/** Fields of the samplers that walk the training timesteps of a variance-preserving schedule. */
export const discreteFields = {
  ...objectiveFields,
  spacing: spacingSchema.default('trailing'),
  clampSample: z
    .number()
    .positive()
    .nullable()
    .default(null)
    .describe('Clamps the estimate of x0 to [-clampSample, clampSample]; null leaves it alone.'),
};

export const ddpmSchema = z.strictObject({ type: z.literal('ddpm').default('ddpm'), ...discreteFields });
export type DdpmOptions = z.input<typeof ddpmSchema>;
export type DdpmConfig = Omit<z.output<typeof ddpmSchema>, 'noiseSchedule'> & ObjectiveConfig;

export class DdpmScheduler extends Scheduler<DdpmConfig> {
  constructor(options: DdpmOptions = {}) {
    super(resolveSchedulerConfig(parseConfig('ddpm', ddpmSchema, options), 'cosine'));
  }

  /** @throws TransfusionError `SCHEDULER_CONFIG_INVALID` */
  static fromConfig(json: unknown): DdpmScheduler {
    return new DdpmScheduler(json as DdpmOptions);
  }

  protected chooseTimesteps(steps: number): number[] {
    return spacedTimesteps({ spacing: this.config.spacing, steps, trainTimesteps: this.noiseSchedule.trainTimesteps });
  }

  protected transition(current: NoiseLevel, previous: NoiseLevel): Transition {
    const { sample, x0, variance } = posterior(current, previous);
    return { sample, x0, noise: Math.sqrt(variance) };
  }
}

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
