import type { Scheduler } from '../scheduler.js';
import { initialState, updateSample } from '../update-sample.js';

/** The network's output for a sample at a timestep. */
export type Network = (sample: Float64Array, timestep: number) => Float64Array;

/** From noise to image on the host. `drawNoise`: for samplers that add fresh noise. */
export function runPlan(options: {
  scheduler: Scheduler;
  steps: number;
  start: Float64Array;
  network: Network;
  drawNoise?: () => Float64Array;
}): Float64Array {
  const { scheduler, steps, start, network, drawNoise } = options;
  const { evaluations } = scheduler.plan(steps);
  return evaluations.reduce(
    (state, evaluation) =>
      updateSample({
        ...{ evaluation, state, noise: drawNoise?.() },
        prediction: network(state.sample, evaluation.timestep),
      }),
    initialState(start),
  ).sample;
}

/** Data of a normal distribution, of which everything is known: what a perfect network says. */
export const gaussian = { mean: 2, deviation: 0.5 };

/** The best epsilon for a sample of `gaussian` data. */
export function bestEpsilon({ noiseSchedule }: Scheduler): Network {
  return (sample, timestep) => {
    const { signal, noise } = noiseSchedule.level(timestep);
    const variance = signal ** 2 * gaussian.deviation ** 2 + noise ** 2;
    return sample.map((value) => (noise * (value - signal * gaussian.mean)) / variance);
  };
}

/** The best x0 - epsilon on the flow schedule for a sample of `gaussian` data. */
export function bestVelocity({ noiseSchedule }: Scheduler): Network {
  return (sample, timestep) => {
    const { signal: t, noise } = noiseSchedule.level(timestep);
    const variance = t * t * gaussian.deviation ** 2 + noise * noise;
    const slope = (t * gaussian.deviation ** 2 - noise) / variance;
    return sample.map((value) => gaussian.mean + slope * (value - t * gaussian.mean));
  };
}
