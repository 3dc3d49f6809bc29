/** @file Which of the training timesteps a sampler with fewer steps visits. */
import { TransfusionError } from '@transfusion/core';
import { z } from 'zod';

export const spacingSchema = z
  .enum(['trailing', 'leading', 'even'])
  .describe(
    "trailing: from the noisiest timestep down (arXiv 2305.08891, table 2); leading: multiples of a whole stride, never reaching the noisiest (biased: for comparison only); even: from the noisiest to timestep 0, rounded, as OpenAI's guided-diffusion.",
  );

export type TimestepSpacing = z.output<typeof spacingSchema>;

/**
 * Timesteps to visit, noisiest first.
 *
 * With 250 of 1,000: trailing 999, 995 .. 3; leading 996, 992 .. 0; even 999, 995, 991, 987, 983 .. 4, 0. A single
 * even step is the noisiest timestep.
 *
 * @param options.steps 1 to `trainTimesteps`
 * @throws TransfusionError `SCHEDULER_STEPS_RANGE`
 */
export function spacedTimesteps(options: {
  spacing: TimestepSpacing;
  steps: number;
  trainTimesteps: number;
}): number[] {
  const { spacing, steps, trainTimesteps } = options;
  if (!Number.isInteger(steps) || steps < 1 || steps > trainTimesteps) {
    throw new TransfusionError({
      code: 'SCHEDULER_STEPS_RANGE',
      message: `${steps} sampling steps from ${trainTimesteps} training timesteps`,
      fix: `use a whole number from 1 to ${trainTimesteps}`,
    });
  }
  const stride = trainTimesteps / steps;
  const evenStride = steps === 1 ? 0 : (trainTimesteps - 1) / (steps - 1);
  const timestep: Record<TimestepSpacing, (i: number) => number> = {
    trailing: (i) => roundHalfToEven(trainTimesteps - i * stride) - 1,
    leading: (i) => (steps - 1 - i) * Math.floor(stride),
    even: (i) => (steps === 1 ? trainTimesteps - 1 : roundHalfToEven((steps - 1 - i) * evenStride)),
  };
  return Array.from({ length: steps }, (_, i) => timestep[spacing](i));
}

/**
 * Timesteps on the flow schedule, noisiest first: even in noise level, then shifted. They lie between whole timesteps
 * where the step count does not divide the axis.
 *
 * @param options.steps 1 or more
 * @throws TransfusionError `SCHEDULER_STEPS_RANGE`
 */
export function shiftedTimesteps(options: { shift: number; steps: number; trainTimesteps: number }): number[] {
  const { shift, steps, trainTimesteps } = options;
  if (!Number.isInteger(steps) || steps < 1) {
    throw new TransfusionError({
      code: 'SCHEDULER_STEPS_RANGE',
      message: `${steps} sampling steps`,
      fix: 'use a whole number, 1 or more',
    });
  }
  return Array.from({ length: steps }, (_, i) => shiftNoiseLevel((steps - i) / steps, shift) * trainTimesteps - 1);
}

/** As Python and numpy round, which the published spacings come from. */
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const half = value - floor === 0.5;
  return half ? floor + (floor % 2) : Math.round(value);
}

/**
 * Moves a noise level in [0, 1] towards noise, for images with many patches: `s u / (1 + (s - 1) u)`
 * (arXiv 2403.03206, equation 23). A shift of 1 changes nothing.
 */
export function shiftNoiseLevel(noise: number, shift: number): number {
  return (shift * noise) / (1 + (shift - 1) * noise);
}
