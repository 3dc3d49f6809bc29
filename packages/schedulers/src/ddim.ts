/** @file Song et al., arXiv 2010.02502, equation 12: deterministic at eta 0, the posterior's variance at eta 1. */
import { z } from 'zod';
import { parseConfig } from './config.js';
import { discreteFields } from './ddpm.js';
import type { NoiseLevel } from './noise-schedule.js';
import type { ObjectiveConfig } from './objective.js';
import { resolveSchedulerConfig, Scheduler, type Transition, transitionAlongEpsilon } from './scheduler.js';
import { spacedTimesteps } from './spacing.js';

export const ddimSchema = z.strictObject({
  type: z.literal('ddim').default('ddim'),
  ...discreteFields,
  eta: z.number().min(0).max(1).default(0).describe('Share of the ancestral noise: 0 is deterministic, 1 is DDPM.'),
});
export type DdimOptions = z.input<typeof ddimSchema>;
export type DdimConfig = Omit<z.output<typeof ddimSchema>, 'noiseSchedule'> & ObjectiveConfig;

/** Where x0 is clamped, epsilon is recomputed from the clamped x0, so that the two still add up to x_t. */
export class DdimScheduler extends Scheduler<DdimConfig> {
  constructor(options: DdimOptions = {}) {
    super(resolveSchedulerConfig(parseConfig('ddim', ddimSchema, options), 'cosine'));
  }

  /** @throws TransfusionError `SCHEDULER_CONFIG_INVALID` */
  static fromConfig(json: unknown): DdimScheduler {
    return new DdimScheduler(json as DdimOptions);
  }

  protected chooseTimesteps(steps: number): number[] {
    return spacedTimesteps({ spacing: this.config.spacing, steps, trainTimesteps: this.noiseSchedule.trainTimesteps });
  }

  protected transition(current: NoiseLevel, previous: NoiseLevel): Transition {
    const sigma =
      this.config.eta * (previous.noise / current.noise) * Math.sqrt(1 - (current.signal / previous.signal) ** 2);
    const epsilonWeight = Math.sqrt(Math.max(previous.noise ** 2 - sigma ** 2, 0));
    return transitionAlongEpsilon({ current, previous, epsilonWeight, noise: sigma });
  }
}
