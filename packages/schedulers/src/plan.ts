/**
 * @file A sampler's plan: the way from noise to image as a list of evaluations of the network, each with its numbers.
 *
 * The plan is made on the host, in f64, before anything runs. `updateSample` carries an evaluation out on host arrays,
 * `updateSampleInGraph` in a compiled graph: both do what `Evaluation` says, for every sampler.
 */

import type { NoiseLevel } from './noise-schedule.js';

/**
 * One evaluation of the network on the sample x, and what follows from its output:
 *
 * 1. Where the evaluation `anchors`, x becomes the anchor: what the later evaluations of a step of higher order start from.
 * 2. `x0 = clamp(x0.sample * x + x0.prediction * output, -x0.clamp, x0.clamp)` estimates the clean image.
 * 3. `x = next.sample * x + next.x0 * x0 + next.earlierX0 * (the estimate before) + next.anchor * anchor + next.noise * z`,
 *    z being fresh unit Gaussian noise. Epsilon has no term of its own: it is `(x - signal * x0) / noise`.
 */
export interface Evaluation {
  /** The sampling step that it belongs to, from 0. A second-order step has two evaluations. */
  readonly step: number;
  /** What the network is told; on the flow schedule it may lie between whole timesteps. */
  readonly timestep: number;
  /** What the sample holds when the network sees it, and once the update is done: noised images of these levels. */
  readonly from: NoiseLevel;
  readonly to: NoiseLevel;
  readonly anchors: boolean;
  readonly x0: X0Coefficients;
  readonly next: NextCoefficients;
}

export interface X0Coefficients {
  readonly sample: number;
  readonly prediction: number;
  /** Infinity where nothing is clamped. */
  readonly clamp: number;
}

export interface NextCoefficients {
  readonly sample: number;
  readonly x0: number;
  /** Of the estimate that the evaluation before made; 0 in the first evaluation. */
  readonly earlierX0: number;
  /** 0 unless this evaluation or an earlier one anchors. */
  readonly anchor: number;
  readonly noise: number;
}

export interface SamplingPlan {
  /** How many sampling steps it takes. */
  readonly steps: number;
  /** In order, the noisiest first. */
  readonly evaluations: readonly Evaluation[];
}

/** What is carried from evaluation to evaluation; host arrays or tensors, all of one shape. */
export interface SampleState<Values> {
  /** x */
  sample: Values;
  /** The latest estimate of the clean image. */
  x0: Values;
  anchor: Values;
}
