/** @file Heun's method on the flow: second order, two evaluations per step (arXiv 2206.00364, algorithm 1). */
import { z } from 'zod';
import {
  alongEpsilon,
  type ConfigOf,
  levelsAlong,
  nextCoefficients,
  type SamplerDefinition,
  type SamplerRun,
  x0Coefficients,
} from './definition.js';
import { flowFields, flowTimesteps } from './fields.js';

const schema = z.strictObject({ type: z.literal('heun'), ...flowFields });

/**
 * A step is Euler's to `trial`, then from where it began with the mean of the slopes at both ends. The slope at the
 * beginning is `(trial - anchor) / (t' - t)`, so the step ends at `(anchor + trial) / 2 + (t' - t) / 2 * slope(trial)`.
 * The last step is Euler's: networks are not trained on clean images, where it would end.
 */
export const heun = {
  schema,
  schedules: ['flow'],
  plan(run: SamplerRun<ConfigOf<typeof schema>>) {
    const timesteps = flowTimesteps(run);
    const levels = levelsAlong(run.noiseSchedule, timesteps);
    return timesteps.flatMap((timestep, step) => {
      const [current, next] = [levels[step], levels[step + 1]];
      const first = {
        ...{ step, timestep, from: current, to: next, anchors: true },
        x0: x0Coefficients(run.config, current),
        next: nextCoefficients(alongEpsilon(current, next)),
      };
      if (step === timesteps.length - 1) return [first];
      // x0 - epsilon is (x0 - x) / noise on the straight line.
      const slopeWeight = (current.noise - next.noise) / 2 / next.noise;
      const second = {
        // The trial stands where the step ends.
        ...{ step, timestep: timesteps[step + 1], from: next, to: next, anchors: false },
        x0: x0Coefficients(run.config, next),
        next: nextCoefficients({ anchor: 0.5, sample: 0.5 - slopeWeight, x0: slopeWeight }),
      };
      return [first, second];
    });
  },
} satisfies SamplerDefinition;
