/** @file How an image is drawn, as the caller may choose it. */
import { TransfusionError } from '@transfusion/core';
import { createScheduler, type Scheduler, spacingSchema } from '@transfusion/schedulers';
import { z } from 'zod';
import { objectiveOptions, type PipelineConfig, samplingDefaultsSchema } from './config.js';
import { parseOptions } from './parse-options.js';

const { steps, guidance, scheduler } = samplingDefaultsSchema.shape;

export const imageSamplingSchema = z.strictObject({
  steps: steps.unwrap().optional(),
  guidance: guidance.unwrap().optional(),
  scheduler: scheduler.unwrap().optional(),
  eta: z.number().min(0).max(1).optional().describe('ddim: share of fresh noise, 0 (default) is deterministic'),
  spacing: spacingSchema.optional().describe('ddim and ddpm; default trailing'),
});

/** What is missing comes from the model's `sampling` defaults. */
export type ImageSamplingOptions = z.input<typeof imageSamplingSchema>;

/** A scheduler with its timesteps set, and the guidance scale. */
export interface ImageSampling {
  scheduler: Scheduler;
  guidance: number;
}

/**
 * @throws TransfusionError SAMPLER_OPTIONS: ill-typed, or an option that the scheduler does not have
 * @throws TransfusionError SCHEDULER_CONFIG_INVALID, SCHEDULER_STEPS_RANGE
 */
export function resolveImageSampling(config: PipelineConfig, options: ImageSamplingOptions = {}): ImageSampling {
  const given = parseOptions('image', imageSamplingSchema, options);
  const { spacing, eta } = given;
  const type = given.scheduler ?? config.sampling.scheduler;
  if (eta !== undefined && type !== 'ddim') throw unknownOption('eta', type);
  if (spacing !== undefined && type === 'euler') throw unknownOption('spacing', type);
  const objective = objectiveOptions(config);
  const { clampSample } = config.diffusion;
  const scheduler =
    type === 'euler'
      ? createScheduler({ type, ...objective })
      : type === 'ddpm'
        ? createScheduler({ type, ...objective, clampSample, spacing })
        : createScheduler({ type, ...objective, clampSample, spacing, eta });
  scheduler.setTimesteps(given.steps ?? config.sampling.steps);
  return { scheduler, guidance: given.guidance ?? config.sampling.guidance };
}

function unknownOption(option: string, type: string): TransfusionError {
  return new TransfusionError({
    code: 'SAMPLER_OPTIONS',
    message: `image.${option} is given, but the ${type} scheduler has no ${option}`,
    fix: type === 'euler' ? `leave ${option} out` : `leave ${option} out, or use ddim`,
  });
}
