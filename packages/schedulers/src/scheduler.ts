/** @file Any sampler from its configuration. */

import { TransfusionError } from '@transfusion/core';
import { z } from 'zod';
import { parseConfig } from './config.js';
import { createNoiseSchedule, type NoiseSchedule } from './noise-schedule.js';
import { defaultNoiseSchedule } from './objective.js';
import type { Parameterisation } from './parameterisation.js';
import type { SamplingPlan } from './plan.js';
import type { SamplerConfig, SamplerDefinition } from './samplers/definition.js';
import { stepOptions } from './samplers/fields.js';
import { samplers } from './samplers/index.js';

type SchemasOf<Definitions extends readonly SamplerDefinition[]> = {
  [Index in keyof Definitions]: Definitions[Index]['schema'];
};

export const schedulerSchema = z.discriminatedUnion(
  'type',
  samplers.map(({ schema }) => schema) as unknown as SchemasOf<typeof samplers>,
);

export type SchedulerOptions = z.input<typeof schedulerSchema>;
export type SchedulerName = SchedulerOptions['type'];
export type StepOption = keyof typeof stepOptions;

export const schedulerNames: readonly SchedulerName[] = samplers.map(({ schema }) => schema.shape.type.value);

/** Walks from noise to image. */
export interface Scheduler {
  /** Complete and JSON-serialisable: `createScheduler(config)` makes an equal scheduler. */
  readonly config: SamplerConfig;
  readonly noiseSchedule: NoiseSchedule;
  /** @throws TransfusionError `SCHEDULER_STEPS_RANGE` */
  plan(steps: number): SamplingPlan;
}

/**
 * @throws TransfusionError `SCHEDULER_CONFIG_INVALID`, also for a noise schedule on which the sampler is not defined
 */
export function createScheduler(options: SchedulerOptions): Scheduler {
  const parsed = parseConfig('scheduler', schedulerSchema, options);
  const definition = samplerOf(parsed.type);
  const { type, parameterisation } = parsed;
  const { schedules } = definition;
  const usual = defaultNoiseSchedule(parameterisation);
  const noiseSchedule = createNoiseSchedule(
    parsed.noiseSchedule ?? (schedules.includes(usual.type) ? usual : { type: schedules[0] }),
  );
  const schedule = noiseSchedule.config.type;
  if (!schedules.includes(schedule)) {
    throw new TransfusionError({
      code: 'SCHEDULER_CONFIG_INVALID',
      message: `${type} is defined on the ${schedules.join(' and ')} schedule; the noise schedule is ${schedule} (parameterisation ${parameterisation})`,
      fix: `use ${schedulersOn(schedule).join(', ')}`,
    });
  }
  if (!determinesStart(schedule, parameterisation)) {
    throw new TransfusionError({
      code: 'SCHEDULER_CONFIG_INVALID',
      message: `${type} starts where the flow schedule has no signal, and an epsilon prediction says nothing about x0 there`,
      fix: 'predict flow, v or sample',
    });
  }
  const config: SamplerConfig = Object.freeze({ ...parsed, noiseSchedule: noiseSchedule.config });
  return {
    config,
    noiseSchedule,
    plan: (steps) => ({ steps, evaluations: definition.plan({ config, noiseSchedule, steps }) }),
  };
}

/** Whether predictions tell x0 at pure noise: on the flow schedule there is no signal in it, and epsilon says nothing else. */
export function determinesStart(schedule: NoiseSchedule['config']['type'], predicted: Parameterisation): boolean {
  return schedule !== 'flow' || predicted !== 'epsilon';
}

/** The samplers that are defined on a noise schedule. */
export function schedulersOn(schedule: NoiseSchedule['config']['type']): SchedulerName[] {
  return schedulerNames.filter((name) => samplerOf(name).schedules.includes(schedule));
}

/** Which of the options that may be chosen a sampler takes. */
export function stepOptionsOf(name: SchedulerName): StepOption[] {
  const { shape } = samplerOf(name).schema;
  return (Object.keys(stepOptions) as StepOption[]).filter((option) => option in shape);
}

/** Whether a sampler takes `clampSample`. */
export function clampsSample(name: SchedulerName): boolean {
  return 'clampSample' in samplerOf(name).schema.shape;
}

function samplerOf(name: SchedulerName): SamplerDefinition {
  return samplers.find(({ schema }) => schema.shape.type.value === name)!;
}
