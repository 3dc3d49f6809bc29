/** @file How a model diffuses and how its images are drawn: the part of its configuration that training and sampling share. */
import { z } from 'zod';
import { guidanceOptions } from './guidance.js';
import { noiseScheduleSchema, trainTimestepsSchema } from './noise-schedule.js';
import type { ObjectiveOptions } from './objective.js';
import { parameterisationSchema } from './parameterisation.js';
import { clampSampleSchema, stepOptions } from './samplers/fields.js';
import {
  clampsSample,
  createScheduler,
  determinesStart,
  type Scheduler,
  type SchedulerName,
  type SchedulerOptions,
  type StepOption,
  schedulerNames,
  schedulersOn,
  stepOptionsOf,
} from './scheduler.js';

const flowOnly = schedulerNames.filter((name) => !schedulersOn('cosine').includes(name));
const clamping = schedulerNames.filter(clampsSample).join(', ');

export const diffusionConfigSchema = z.strictObject({
  trainTimesteps: trainTimestepsSchema.describe('timesteps that training draws from'),
  schedule: z
    .enum(noiseScheduleSchema.options.map(({ shape }) => shape.type.value))
    .default('cosine')
    .describe('how much noise a timestep means: cosine (the paper), or the straight line of flow matching'),
  parameterisation: parameterisationSchema.default('epsilon'),
  clampSample: clampSampleSchema
    .default(1.5)
    .describe(`${clamping} clamp the estimate of the clean latents to [-clampSample, clampSample]; null: no clamp`),
});

/** Far beyond what draws anything; much more leaves the range of f32. */
const GREATEST_GUIDANCE = 1000;
const guidanceRange = `expected a scale from -${GREATEST_GUIDANCE} to ${GREATEST_GUIDANCE}`;

export const samplingDefaultsSchema = z.strictObject({
  steps: z.int().min(1).default(50).describe('denoising steps of an image'),
  guidance: z
    .number()
    .min(-GREATEST_GUIDANCE, guidanceRange)
    .max(GREATEST_GUIDANCE, guidanceRange)
    .default(3)
    .describe('classifier-free guidance scale; 1: none; 0: without regard to the text; below: away from it'),
  scheduler: z
    .enum(schedulerNames)
    .default('ddim')
    .describe(`step rule; ${flowOnly.join(' and ')} are for the flow schedule alone`),
});

export type DiffusionConfig = z.output<typeof diffusionConfigSchema>;
export type SamplingDefaults = z.output<typeof samplingDefaultsSchema>;

const { steps, guidance, scheduler } = samplingDefaultsSchema.shape;

/** What may be chosen when an image is drawn. Nothing has a default here: what is missing is the model's. */
export const samplingOptionsSchema = z.strictObject({
  steps: chosen(steps),
  guidance: chosen(guidance),
  ...guidanceOptions,
  scheduler: chosen(scheduler),
  spacing: stepOption('spacing', stepOptions.spacing),
  eta: stepOption('eta', stepOptions.eta),
  shift: stepOption('shift', stepOptions.shift),
});

export type SamplingOptions = z.input<typeof samplingOptionsSchema>;

/** What in a model's configuration does not go together: where, and what would. */
export function samplingProblems(config: {
  diffusion: DiffusionConfig;
  sampling: SamplingDefaults;
}): { path: string[]; message: string }[] {
  const { diffusion, sampling } = config;
  const problems: { path: string[]; message: string }[] = [];
  const fitting = schedulersOn(diffusion.schedule);
  if (!fitting.includes(sampling.scheduler)) {
    const own = diffusion.schedule === 'flow' ? 'cosine' : 'flow';
    const message = `${sampling.scheduler} is for the ${own} schedule; for the ${diffusion.schedule} schedule: ${fitting.join(', ')}`;
    problems.push({ path: ['sampling', 'scheduler'], message });
  }
  const walksTimesteps = stepOptionsOf(sampling.scheduler).includes('spacing');
  if (walksTimesteps && sampling.steps > diffusion.trainTimesteps) {
    problems.push({
      path: ['sampling', 'steps'],
      message: `at most diffusion.trainTimesteps, ${diffusion.trainTimesteps}`,
    });
  }
  if (!determinesStart(diffusion.schedule, diffusion.parameterisation)) {
    const message = 'the flow schedule starts at pure noise: predict flow, v or sample';
    problems.push({ path: ['diffusion', 'parameterisation'], message });
  }
  return problems;
}

/** The objective of a model's configuration: training and sampling must agree on it. */
export function diffusionObjective(diffusion: DiffusionConfig): Required<ObjectiveOptions> {
  const { parameterisation, schedule, trainTimesteps } = diffusion;
  return { parameterisation, noiseSchedule: { type: schedule, trainTimesteps } };
}

/**
 * A sampler for a model's configuration.
 *
 * @throws TransfusionError `SCHEDULER_CONFIG_INVALID`, also for an option that the sampler does not take
 */
export function diffusionScheduler(
  diffusion: DiffusionConfig,
  type: SchedulerName,
  options: Pick<SamplingOptions, StepOption> = {},
): Scheduler {
  const clamp = clampsSample(type) ? { clampSample: diffusion.clampSample } : {};
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return createScheduler({ type, ...diffusionObjective(diffusion), ...clamp, ...given } as SchedulerOptions);
}

function chosen<Schema extends z.ZodType>(schema: z.ZodDefault<Schema>): z.ZodOptional<Schema> {
  return (schema.unwrap() as Schema).optional().describe(schema.description ?? '');
}

function stepOption<Schema extends z.ZodType>(option: StepOption, schema: z.ZodDefault<Schema>): z.ZodOptional<Schema> {
  const takers = schedulerNames.filter((name) => stepOptionsOf(name).includes(option));
  const description = schema.description ?? (schema.unwrap() as Schema).description;
  return chosen(schema).describe(`${takers.join(', ')}: ${description}`);
}
