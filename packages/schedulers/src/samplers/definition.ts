/** @file What a sampler is: a schema of its configuration, and a function that plans. */
import type { z } from 'zod';
import type { NoiseLevel, NoiseSchedule } from '../noise-schedule.js';
import type { ObjectiveConfig, objectiveFields } from '../objective.js';
import { conversionCoefficients } from '../parameterisation.js';
import type { Evaluation, NextCoefficients, X0Coefficients } from '../plan.js';

/** A sampler's parsed configuration, its noise schedule resolved. */
export interface SamplerConfig extends ObjectiveConfig {
  readonly type: string;
  readonly clampSample?: number | null;
}

/** `Schema`'s configuration, its noise schedule resolved. */
export type ConfigOf<Schema extends z.ZodType> = Omit<z.output<Schema>, 'noiseSchedule'> & ObjectiveConfig;

export interface SamplerRun<Config = SamplerConfig> {
  readonly config: Config;
  readonly noiseSchedule: NoiseSchedule;
  readonly steps: number;
}

export interface SamplerDefinition {
  /** Its `type`, the objective's fields, and whichever of `stepOptions` and `clampSample` it takes. */
  readonly schema: z.ZodObject<{ type: z.ZodLiteral<string> } & typeof objectiveFields>;
  /** The noise schedules on which its step rule is defined, the usual one first. */
  readonly schedules: readonly NoiseSchedule['config']['type'][];
  /** @throws TransfusionError `SCHEDULER_STEPS_RANGE` */
  plan(run: SamplerRun): Evaluation[];
}

/** The noise levels that a step leads from and to. */
export interface StepLevels {
  /** Where the step before began; undefined in the first. */
  readonly earlier: NoiseLevel | undefined;
  readonly current: NoiseLevel;
  /** The clean image after the last step. */
  readonly next: NoiseLevel;
}

/**
 * The variance that the way from `previous` to the noisier `current` adds: x_current is x_previous times the ratio of their
 * signals, plus noise of this variance. Where the schedule preserves variance it is 1 minus the ratio squared.
 */
export function transitionVariance(current: NoiseLevel, previous: NoiseLevel): number {
  return current.noise ** 2 - ((current.signal / previous.signal) * previous.noise) ** 2;
}

/** The plan of a sampler that evaluates the network once in each step, at `timesteps`. */
export function planSteps(
  run: SamplerRun,
  timesteps: readonly number[],
  rule: (levels: StepLevels) => Partial<NextCoefficients>,
): Evaluation[] {
  const levels = levelsAlong(run.noiseSchedule, timesteps);
  return timesteps.map((timestep, step) => ({
    step,
    timestep,
    from: levels[step],
    to: levels[step + 1],
    anchors: false,
    x0: x0Coefficients(run.config, levels[step]),
    next: nextCoefficients(rule({ earlier: levels[step - 1], current: levels[step], next: levels[step + 1] })),
  }));
}

/** The noise levels at the timesteps, and that of the clean image. */
export function levelsAlong(noiseSchedule: NoiseSchedule, timesteps: readonly number[]): NoiseLevel[] {
  return [...timesteps, -1].map((timestep) => noiseSchedule.level(timestep));
}

/** How the estimate of x0 follows from a sample at `level` and the network's output. */
export function x0Coefficients(config: SamplerConfig, level: NoiseLevel): X0Coefficients {
  const { sample, prediction } = conversionCoefficients({ from: config.parameterisation, to: 'sample', level });
  return { sample, prediction, clamp: config.clampSample ?? Number.POSITIVE_INFINITY };
}

/** What is not given is 0. */
export function nextCoefficients(given: Partial<NextCoefficients>): NextCoefficients {
  return { sample: 0, x0: 0, earlierX0: 0, anchor: 0, noise: 0, ...given };
}

/**
 * `next.signal * x0 + epsilonWeight * epsilon` with epsilon written as `(x - signal * x0) / noise`: where x0 is clamped,
 * epsilon follows it, so that the two still add up to x.
 *
 * @param epsilonWeight default: `next.noise`, which moves along a fixed x0 and epsilon
 */
export function alongEpsilon(
  current: NoiseLevel,
  next: NoiseLevel,
  epsilonWeight: number = next.noise,
): { sample: number; x0: number } {
  const sample = epsilonWeight / current.noise;
  return { sample, x0: next.signal - sample * current.signal };
}
