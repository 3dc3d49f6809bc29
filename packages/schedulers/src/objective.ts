/** @file What diffusion training asks of the network: a noise schedule and a parameterisation. */
import { z } from 'zod';
import { parseConfig } from './config.js';
import {
  createNoiseSchedule,
  type NoiseSchedule,
  type NoiseScheduleConfig,
  noiseScheduleSchema,
} from './noise-schedule.js';
import {
  type Parameterisation,
  parameterisationSchema,
  type TargetCoefficients,
  targetCoefficients,
} from './parameterisation.js';

/** The two fields that training and sampling must agree on; part of every scheduler's configuration. */
export const objectiveFields = {
  parameterisation: parameterisationSchema.default('epsilon'),
  noiseSchedule: noiseScheduleSchema
    .optional()
    .describe('Default: the flow schedule for the flow parameterisation, the cosine schedule for the others.'),
};

export const objectiveSchema = z.strictObject(objectiveFields);
export type ObjectiveOptions = z.input<typeof objectiveSchema>;

export interface ObjectiveConfig {
  readonly parameterisation: Parameterisation;
  readonly noiseSchedule: NoiseScheduleConfig;
}

export interface Objective {
  readonly config: ObjectiveConfig;
  readonly noiseSchedule: NoiseSchedule;
  readonly parameterisation: Parameterisation;
  /**
   * `[signal, noise, targetSignal, targetNoise]` at a timestep in `0 .. trainTimesteps - 1`: the network sees
   * `signal * x0 + noise * epsilon`, its target is `targetSignal * x0 + targetNoise * epsilon`. For flow matching,
   * signal is the flow time `1 - (timestep + 1) / trainTimesteps`, noise is 1 minus it, and the target is x0 - epsilon.
   */
  targetCoefficients(timestep: number): TargetCoefficients;
}

/** The paper's objective by default: epsilon on the cosine schedule of 1,000 timesteps. */
export function createObjective(options: ObjectiveOptions = {}): Objective {
  const { parameterisation, noiseSchedule: scheduleConfig } = parseConfig('objective', objectiveSchema, options);
  const noiseSchedule = createNoiseSchedule(scheduleConfig ?? defaultNoiseSchedule(parameterisation));
  return {
    config: Object.freeze({ parameterisation, noiseSchedule: noiseSchedule.config }),
    noiseSchedule,
    parameterisation,
    targetCoefficients: (timestep) => targetCoefficients(parameterisation, noiseSchedule.level(timestep)),
  };
}

/** Flow matching is defined on the straight line; everything else on the paper's cosine schedule. */
export function defaultNoiseSchedule(parameterisation: Parameterisation): { type: 'flow' } | { type: 'cosine' } {
  return parameterisation === 'flow' ? { type: 'flow' } : { type: 'cosine' };
}
