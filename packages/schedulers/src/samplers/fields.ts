/** @file What may be configured about samplers: each takes some of these fields. */
import { z } from 'zod';
import { objectiveFields } from '../objective.js';
import { shiftedTimesteps, spacedTimesteps, spacingSchema, type TimestepSpacing } from '../spacing.js';
import type { SamplerRun } from './definition.js';

/** For whoever draws an image to choose, each with its default. */
export const stepOptions = {
  spacing: spacingSchema.default('trailing'),
  eta: z.number().min(0).max(1).default(0).describe('Share of the ancestral noise: 0 is deterministic, 1 is DDPM.'),
  shift: z
    .number()
    .positive()
    .default(1)
    .describe('Spends more steps near the noise (above 1) or near the image (below 1); 1 is even.'),
};

/** For whoever trains a model to choose: it depends on the range of its latents. */
export const clampSampleSchema = z
  .number()
  .positive()
  .nullable()
  .describe('Clamps the estimate of x0 to [-clampSample, clampSample]; null leaves it alone.');

/** Fields of the samplers that walk whole timesteps. */
export const spacedFields = {
  ...objectiveFields,
  spacing: stepOptions.spacing,
  clampSample: clampSampleSchema.default(null),
};

/** The timesteps that `spacedFields` mean. @throws TransfusionError `SCHEDULER_STEPS_RANGE` */
export function wholeTimesteps({ config, noiseSchedule, steps }: SamplerRun<{ spacing: TimestepSpacing }>): number[] {
  return spacedTimesteps({ spacing: config.spacing, steps, trainTimesteps: noiseSchedule.trainTimesteps });
}

/** Fields of the samplers that walk any timesteps of the flow schedule. */
export const flowFields = {
  ...objectiveFields,
  parameterisation: objectiveFields.parameterisation.unwrap().default('flow'),
  shift: stepOptions.shift,
};

/** The timesteps that `flowFields` mean. @throws TransfusionError `SCHEDULER_STEPS_RANGE` */
export function flowTimesteps({ config, noiseSchedule, steps }: SamplerRun<{ shift: number }>): number[] {
  return shiftedTimesteps({ shift: config.shift, steps, trainTimesteps: noiseSchedule.trainTimesteps });
}
