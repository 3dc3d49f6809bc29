/** @file Euler's method on the flow `dx/dt = x0 - epsilon` (arXiv 2209.03003), from noise at t = 0 to image at t = 1. */
import { TransfusionError } from '@transfusion/core';
import { z } from 'zod';
import { parseConfig } from './config.js';
import type { NoiseLevel } from './noise-schedule.js';
import { type ObjectiveConfig, objectiveFields } from './objective.js';
import { resolveSchedulerConfig, Scheduler, type Transition, transitionAlongEpsilon } from './scheduler.js';
import { shiftNoiseLevel } from './spacing.js';

export const eulerSchema = z.strictObject({
  type: z.literal('euler').default('euler'),
  ...objectiveFields,
  parameterisation: objectiveFields.parameterisation.unwrap().default('flow'),
  shift: z
    .number()
    .positive()
    .default(1)
    .describe('Spends more steps near the noise (above 1) or near the image (below 1); 1 is even.'),
});
export type EulerOptions = z.input<typeof eulerSchema>;
export type EulerConfig = Omit<z.output<typeof eulerSchema>, 'noiseSchedule'> & ObjectiveConfig;

/** Timesteps lie on the training axis, between its whole numbers where the step count does not divide it. */
export class EulerScheduler extends Scheduler<EulerConfig> {
  constructor(options: EulerOptions = {}) {
    const parsed = parseConfig('euler', eulerSchema, options);
    if (parsed.parameterisation === 'epsilon') {
      throw new TransfusionError({
        code: 'SCHEDULER_CONFIG_INVALID',
        message:
          'euler starts where the flow schedule has no signal, and an epsilon prediction says nothing about x0 there',
        fix: 'predict flow, v or sample',
      });
    }
    super(resolveSchedulerConfig({ ...parsed, noiseSchedule: parsed.noiseSchedule ?? { type: 'flow' } }, 'flow'));
  }

  /** @throws TransfusionError `SCHEDULER_CONFIG_INVALID` */
  static fromConfig(json: unknown): EulerScheduler {
    return new EulerScheduler(json as EulerOptions);
  }

  protected chooseTimesteps(steps: number): number[] {
    if (!Number.isInteger(steps) || steps < 1) {
      throw new TransfusionError({
        code: 'SCHEDULER_STEPS_RANGE',
        message: `${steps} sampling steps`,
        fix: 'use a whole number, 1 or more',
      });
    }
    const noiseLevels = Array.from({ length: steps }, (_, i) =>
      shiftNoiseLevel((steps - i) / steps, this.config.shift),
    );
    return noiseLevels.map((noise) => noise * this.noiseSchedule.trainTimesteps - 1);
  }

  /** On the straight line, moving along a fixed x0 and epsilon is the Euler step `x + (t' - t) (x0 - epsilon)`. */
  protected transition(current: NoiseLevel, previous: NoiseLevel): Transition {
    return transitionAlongEpsilon({ current, previous, epsilonWeight: previous.noise, noise: 0 });
  }
}
