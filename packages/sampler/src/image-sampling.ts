/** @file How an image is drawn, as the caller may choose it. */
import { TransfusionError } from '@transfusion/core';
import {
  diffusionScheduler,
  type SamplingOptions,
  type SamplingPlan,
  type SchedulerName,
  samplingOptionsSchema,
  stepOptionsOf,
} from '@transfusion/schedulers';
import type { PipelineConfig } from './config.js';
import { parseOptions } from './parse-options.js';

/** What is missing comes from the model's `sampling` defaults. */
export type ImageSamplingOptions = SamplingOptions;
export const imageSamplingSchema = samplingOptionsSchema;

/** The way from noise to image, and the guidance scale. */
export interface ImageSampling {
  plan: SamplingPlan;
  guidance: number;
}

/**
 * @throws TransfusionError SAMPLER_OPTIONS: ill-typed, or an option that the scheduler does not have
 * @throws TransfusionError SCHEDULER_CONFIG_INVALID, SCHEDULER_STEPS_RANGE
 */
export function resolveImageSampling(config: PipelineConfig, options: ImageSamplingOptions = {}): ImageSampling {
  const given = parseOptions('image', imageSamplingSchema, options);
  const { sampling, diffusion } = config;
  const { steps = sampling.steps, guidance = sampling.guidance, scheduler = sampling.scheduler, ...chosen } = given;
  checkStepOptions(scheduler, chosen);
  return { plan: diffusionScheduler(diffusion, scheduler, chosen).plan(steps), guidance };
}

function checkStepOptions(scheduler: SchedulerName, chosen: object): void {
  const own: string[] = stepOptionsOf(scheduler);
  const given = Object.entries(chosen).flatMap(([option, value]) => (value === undefined ? [] : [option]));
  const unknown = given.find((option) => !own.includes(option));
  if (unknown === undefined) return;
  throw new TransfusionError({
    code: 'SAMPLER_OPTIONS',
    message: `image.${unknown} is given, but the ${scheduler} scheduler has no ${unknown}`,
    fix: `leave ${unknown} out; ${scheduler} has ${own.join(' and ')}`,
  });
}
