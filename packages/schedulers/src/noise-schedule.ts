/**
 * @file How much signal and noise a noised image holds: `x_t = signal * x0 + noise * epsilon`.
 *
 * Every schedule shares one timestep axis: `0 .. trainTimesteps - 1`, where the paper's t is `timestep + 1`, so that
 * `trainTimesteps - 1` is the noisiest and `-1` is the clean image (signal 1, noise 0).
 */

import { TransfusionError } from '@transfusion/core';
import { z } from 'zod';
import { parseConfig } from './config.js';
import { checkSameLength, type FloatArray } from './float-array.js';

export const trainTimestepsSchema = z.number().int().min(1).default(1000);
const trainTimesteps = trainTimestepsSchema.describe('Number of timesteps that training draws from.');

export const noiseScheduleSchema = z.discriminatedUnion('type', [
  z
    .strictObject({
      type: z.literal('cosine'),
      trainTimesteps,
      offset: z
        .number()
        .min(0)
        .default(0.008)
        .describe('s of the cosine schedule; keeps the first betas from vanishing.'),
      maxBeta: z.number().gt(0).lt(1).default(0.999).describe('Largest beta; keeps the last alpha above zero.'),
    })
    .describe('Variance preserving, Nichol & Dhariwal (arXiv 2102.09672) equation 17.'),
  z
    .strictObject({ type: z.literal('flow'), trainTimesteps })
    .describe(
      'Straight line between noise and image (arXiv 2209.03003): flow time t = 1 - (timestep + 1) / trainTimesteps.',
    ),
]);

export type NoiseScheduleConfig = z.output<typeof noiseScheduleSchema>;
export type NoiseScheduleOptions = z.input<typeof noiseScheduleSchema>;

export interface NoiseLevel {
  /** Multiplies the clean image x0. */
  readonly signal: number;
  /** Multiplies the unit Gaussian noise epsilon. */
  readonly noise: number;
}

export interface NoiseSchedule {
  readonly config: NoiseScheduleConfig;
  readonly trainTimesteps: number;
  /**
   * Signal and noise at a timestep in `[-1, trainTimesteps - 1]`, -1 being the clean image. The cosine schedule is a
   * table and takes whole timesteps; the flow schedule takes any.
   *
   * @throws TransfusionError `SCHEDULER_TIMESTEP_RANGE`
   */
  level(timestep: number): NoiseLevel;
}

/** Builds a schedule; all tables in f64, because an f32 cumulative product drifts. */
export function createNoiseSchedule(options: NoiseScheduleOptions = { type: 'cosine' }): NoiseSchedule {
  const config = Object.freeze(parseConfig('noise schedule', noiseScheduleSchema, options));
  return config.type === 'cosine' ? cosineSchedule(config) : flowSchedule(config);
}

/** `signal^2 / noise^2`: infinite for the clean image. */
export function signalToNoiseRatio({ signal, noise }: NoiseLevel): number {
  return (signal * signal) / (noise * noise);
}

/**
 * `x_t = signal * x0 + noise * epsilon`, in an array of the sample's type.
 *
 * @param options.sample the clean x0, any shape, flattened
 * @param options.timestep `0 .. trainTimesteps - 1`
 * @throws TransfusionError `SCHEDULER_TIMESTEP_RANGE`, `SCHEDULER_LENGTH_MISMATCH`
 */
export function addNoise<Values extends FloatArray>(options: {
  noiseSchedule: NoiseSchedule;
  sample: Values;
  noise: FloatArray;
  timestep: number;
}): Values {
  const { noiseSchedule, sample, noise, timestep } = options;
  checkSameLength('sample', sample, 'noise', noise);
  const level = noiseSchedule.level(timestep);
  return sample.map((value, i) => level.signal * value + level.noise * noise[i]) as Values;
}

/** The betas of the cosine schedule; index i is the paper's t = i + 1. */
export function cosineBetas(options: { trainTimesteps: number; offset: number; maxBeta: number }): Float64Array {
  const { trainTimesteps: steps, offset, maxBeta } = options;
  const alphaBar = (u: number) => Math.cos(((u + offset) / (1 + offset)) * (Math.PI / 2)) ** 2;
  return Float64Array.from({ length: steps }, (_, i) =>
    Math.min(1 - alphaBar((i + 1) / steps) / alphaBar(i / steps), maxBeta),
  );
}

function cosineSchedule(config: NoiseScheduleConfig & { type: 'cosine' }): NoiseSchedule {
  let product = 1;
  const alphaBars = cosineBetas(config).map((beta) => (product *= 1 - beta));
  return {
    config,
    trainTimesteps: config.trainTimesteps,
    level(timestep) {
      checkRange(timestep, config.trainTimesteps);
      if (timestep === -1) return { signal: 1, noise: 0 };
      const alphaBar = alphaBars[timestep];
      if (alphaBar === undefined) {
        throw new TransfusionError({
          code: 'SCHEDULER_TIMESTEP_RANGE',
          message: `timestep is ${timestep}; the cosine schedule is a table over whole timesteps`,
          fix: 'round the timestep, or use the flow schedule',
        });
      }
      return { signal: Math.sqrt(alphaBar), noise: Math.sqrt(1 - alphaBar) };
    },
  };
}

function flowSchedule(config: NoiseScheduleConfig & { type: 'flow' }): NoiseSchedule {
  return {
    config,
    trainTimesteps: config.trainTimesteps,
    level(timestep) {
      checkRange(timestep, config.trainTimesteps);
      const noise = (timestep + 1) / config.trainTimesteps;
      return { signal: 1 - noise, noise };
    },
  };
}

function checkRange(timestep: number, trainTimesteps: number): void {
  if (timestep >= -1 && timestep <= trainTimesteps - 1) return;
  throw new TransfusionError({
    code: 'SCHEDULER_TIMESTEP_RANGE',
    message: `timestep is ${timestep}; the schedule has timesteps 0 to ${trainTimesteps - 1}, and -1 for the clean image`,
    fix: "subtract 1 from the paper's t, which counts from 1",
  });
}
