/** @file How an image is drawn, as the caller may choose it. */
import { TransfusionError } from '@transfusion/core';
import {
  cutPlan,
  diffusionScheduler,
  type GuidancePlan,
  planGuidance,
  type SamplingPlan,
  type SchedulerName,
  samplingOptionsSchema,
  stepOptionsOf,
  strengthSchema,
} from '@transfusion/schedulers';
import { z } from 'zod';
import { textSamplingSchema } from './choose-token.js';
import type { DrawingConfig } from './config.js';
import { parseOptions } from './parse-options.js';

const denoisingSchema = samplingOptionsSchema.extend({
  negativePrompt: z
    .string()
    .optional()
    .describe('What guidance leads away from, in place of no text: BOS negativePrompt BOI. Default empty.'),
  strength: strengthSchema
    .optional()
    .describe(
      'Of an image that another one is made from: the share of the steps that are done, and so how much of it changes. Default 0.6; with a mask 1.',
    ),
});

const { topK, topP, minP } = textSamplingSchema.shape;
const ofTokens = 'where images are tokens:';
export const imageSamplingSchema = denoisingSchema.extend({
  temperature: z
    .number()
    .min(0)
    .optional()
    .describe(`${ofTokens} divides the logits of codes; 0 takes the most likely one; default: 1`),
  topK: topK.describe(`${ofTokens} ${topK.description}`),
  topP: topP.describe(`${ofTokens} ${topP.description}`),
  minP: minP.describe(`${ofTokens} ${minP.description}`),
});

const lengthSchema = z.int().min(1);
/** Of images that are asked for, in pixels. */
export const imageSizeSchema = z.strictObject({ width: lengthSchema, height: lengthSchema });

/** What is missing comes from the model's `sampling` defaults. */
export type ImageSamplingOptions = Omit<z.input<typeof imageSamplingSchema>, 'strength'>;

/** The way from noise, or from a noised image, to the image; how it is guided, and away from what. */
export interface ImageSampling {
  plan: SamplingPlan;
  guidance: GuidancePlan;
  negativePrompt: string;
}

/** Of these a strength is the default where an image is made from another. */
const STRENGTH = { whole: 0.6, masked: 1 };

/**
 * @param options.source whether the image is made from another one, and where that has a mask
 * @throws TransfusionError SAMPLER_OPTIONS: ill-typed, or an option that the scheduler or denoising does not have, or that does
 *   nothing
 * @throws TransfusionError SCHEDULER_CONFIG_INVALID, SCHEDULER_STEPS_RANGE
 */
export function resolveImageSampling(
  config: DrawingConfig,
  options: ImageSamplingOptions & { strength?: number } = {},
  source?: 'whole' | 'masked',
): ImageSampling {
  const { temperature, topK, topP, minP, ...given } = parseOptions('image', imageSamplingSchema, options);
  refuseOptions(
    { temperature, topK, topP, minP },
    { because: "this model's images are denoised, not tokens", own: Object.keys(denoisingSchema.shape) },
  );
  const { sampling, diffusion } = config;
  const { steps = sampling.steps, guidance: scale = sampling.guidance, scheduler = sampling.scheduler } = given;
  const { spacing, eta, shift, negativePrompt = '', strength } = given;
  const { guidanceInterval: interval, guidanceRescale: rescale, guidanceRenorm: renorm } = given;
  const chosen = { spacing, eta, shift };
  checkStepOptions(scheduler, chosen);
  if (scale === 1) checkUnguided(given);
  if (rescale !== undefined && rescale > 0 && renorm !== undefined) {
    throw new TransfusionError({
      code: 'SAMPLER_OPTIONS',
      message: `image.guidanceRescale ${rescale} and image.guidanceRenorm ${renorm} both say how large a guided prediction is`,
      fix: 'give one of them',
    });
  }
  if (strength !== undefined && !source) {
    throw new TransfusionError({
      code: 'SAMPLER_OPTIONS',
      message: `image.strength is ${strength}, but there is no image to start from`,
      fix: 'give the image as image.from, or leave image.strength out: without an image every step is done',
    });
  }
  const whole = diffusionScheduler(diffusion, scheduler, chosen).plan(steps);
  const plan = source ? cutPlan(whole, strength ?? STRENGTH[source]) : whole;
  const { trainTimesteps } = diffusion;
  const guidance = planGuidance({ plan, trainTimesteps, scale, interval, rescale, renorm });
  return { plan, guidance, negativePrompt };
}

/** @throws TransfusionError SAMPLER_OPTIONS, naming an option that does nothing without guidance */
export function checkUnguided(given: ImageSamplingOptions): void {
  const { negativePrompt, guidanceInterval, guidanceRescale, guidanceRenorm } = given;
  const shown = {
    ...(negativePrompt && { negativePrompt: JSON.stringify(negativePrompt) }),
    ...(guidanceInterval && { guidanceInterval: `[${guidanceInterval.join(', ')}]` }),
    ...(guidanceRescale && { guidanceRescale }),
    ...(guidanceRenorm !== undefined && { guidanceRenorm }),
  };
  const [first] = Object.entries(shown);
  if (!first) return;
  throw new TransfusionError({
    code: 'SAMPLER_OPTIONS',
    message: `image.${first[0]} is ${first[1]}, but the guidance is 1, which is none: it would do nothing`,
    fix: `leave image.${first[0]} out, or give image.guidance other than 1, for example 3`,
  });
}

/**
 * The options with everything that was left to the model, or to a default: the same image whatever becomes of these.
 *
 * @throws as `resolveImageSampling`
 */
export function completeDenoising(
  config: DrawingConfig,
  options: ImageSamplingOptions & { strength?: number },
  source?: 'whole' | 'masked',
): z.output<typeof imageSamplingSchema> {
  resolveImageSampling(config, options, source);
  const { steps, guidance, scheduler } = { ...config.sampling, ...withoutUndefined(options) };
  const { spacing, eta, shift, ...others } = withoutUndefined(options);
  const { config: resolved } = diffusionScheduler(config.diffusion, scheduler, { spacing, eta, shift });
  const own: string[] = stepOptionsOf(scheduler);
  const stepOptions = Object.fromEntries(Object.entries(resolved).filter(([name]) => own.includes(name)));
  const strength = source && { strength: options.strength ?? STRENGTH[source] };
  return imageSamplingSchema.parse({ ...others, steps, guidance, scheduler, ...stepOptions, ...strength });
}

function withoutUndefined<Options extends object>(options: Options): Options {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Options;
}

/** @throws TransfusionError SAMPLER_OPTIONS: one of the options is given */
export function refuseOptions(options: object, { because, own }: { because: string; own: readonly string[] }): void {
  const given = Object.entries(options).find(([, value]) => value !== undefined);
  if (given === undefined) return;
  throw new TransfusionError({
    code: 'SAMPLER_OPTIONS',
    message: `image.${given[0]} is given, but ${because}`,
    fix: `leave image.${given[0]} out; there are ${own.map((name) => `image.${name}`).join(', ')}`,
  });
}

function checkStepOptions(scheduler: SchedulerName, chosen: object): void {
  const own: string[] = stepOptionsOf(scheduler);
  const given = Object.entries(chosen).flatMap(([option, value]) => (value === undefined ? [] : [option]));
  const unknown = given.find((option) => !own.includes(option));
  if (unknown === undefined) return;
  throw new TransfusionError({
    code: 'SAMPLER_OPTIONS',
    message: `image.${unknown} is given, but the ${scheduler} scheduler has no ${unknown}`,
    fix: `leave image.${unknown} out; ${scheduler} has ${own.map((name) => `image.${name}`).join(' and ')}`,
  });
}
