/** @file An evaluation's update on host arrays: the reference of what a graph computes. */
import { TransfusionError } from '@transfusion/core';
import { checkSameLength, type FloatArray } from './float-array.js';
import type { Evaluation, SampleState } from './plan.js';

/** Before the first evaluation: pure noise, and nothing to remember. */
export function initialState<Values extends FloatArray>(noise: Values): SampleState<Values> {
  const zeros = () => noise.slice().fill(0) as Values;
  return { sample: noise, x0: zeros(), anchor: zeros() };
}

/**
 * The state after an evaluation, computed in f64, in arrays of the state's type.
 *
 * @param options.prediction the network's output for `state.sample`, any shape, flattened
 * @param options.noise unit Gaussian noise; needed where `evaluation.next.noise` is not 0
 * @throws TransfusionError `SCHEDULER_LENGTH_MISMATCH`, `SCHEDULER_NOISE_MISSING`
 */
export function updateSample<Values extends FloatArray>(options: {
  evaluation: Evaluation;
  state: SampleState<Values>;
  prediction: FloatArray;
  noise?: FloatArray;
}): SampleState<Values> {
  const { evaluation, state, prediction, noise } = options;
  const { anchors, x0, next } = evaluation;
  checkSameLength('sample', state.sample, 'prediction', prediction);
  if (noise) checkSameLength('sample', state.sample, 'noise', noise);
  else if (next.noise !== 0) {
    throw new TransfusionError({
      code: 'SCHEDULER_NOISE_MISSING',
      message: `step ${evaluation.step + 1} adds noise times ${next.noise}, but no noise was given`,
      fix: 'pass `noise`, as many unit Gaussian values as the sample has, or use a sampler that adds none',
    });
  }
  const anchor = anchors ? state.sample : state.anchor;
  const estimates = new Float64Array(state.sample.length).map((_, i) => {
    const estimate = x0.sample * state.sample[i] + x0.prediction * prediction[i];
    return Math.min(Math.max(estimate, -x0.clamp), x0.clamp);
  });
  const sample = state.sample.map((x, i) => {
    const remembered = next.earlierX0 * state.x0[i] + next.anchor * anchor[i];
    return next.sample * x + next.x0 * estimates[i] + remembered + (noise ? next.noise * noise[i] : 0);
  }) as Values;
  return { sample, x0: state.x0.map((_, i) => estimates[i]) as Values, anchor };
}
