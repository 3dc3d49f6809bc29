/** @file An evaluation's update as a graph: elementwise, so for tensors of any one shape. */
import { select, type Tensor } from '@transfusion/tensor';
import type { Evaluation, SampleState } from './plan.js';

/** How many numbers `evaluationCoefficients` gives. */
export const EVALUATION_COEFFICIENTS = 10;

/** An evaluation's numbers as the data that `updateSampleInGraph` takes: one compiled graph serves every sampler. */
export function evaluationCoefficients({ anchors, x0, next }: Evaluation): Float32Array<ArrayBuffer> {
  return Float32Array.of(
    ...[x0.sample, x0.prediction, -x0.clamp, x0.clamp],
    ...[next.sample, next.x0, next.earlierX0, next.anchor, next.noise],
    anchors ? 1 : 0,
  );
}

/**
 * `updateSample` over symbolic tensors.
 *
 * @param options.coefficients f32 [..., EVALUATION_COEFFICIENTS]: for all images, or [images, 1, ..., EVALUATION_COEFFICIENTS], for each
 * @param options.state tensors of one shape. All must be finite, also where their coefficient is 0: a state that remembers
 *   nothing yet is zeros
 * @param options.prediction of that shape, finite
 * @param options.noise of that shape, finite
 */
export function updateSampleInGraph(options: {
  coefficients: Tensor;
  state: SampleState<Tensor>;
  prediction: Tensor;
  noise: Tensor;
}): SampleState<Tensor> {
  const { state, prediction, noise } = options;
  const [x0Sample, x0Prediction, least, most, nextSample, nextX0, nextEarlierX0, nextAnchor, nextNoise, anchors] =
    Array.from({ length: EVALUATION_COEFFICIENTS }, (_, i) => lastAxis(options.coefficients, i));
  const anchor = select(anchors, state.sample, state.anchor);
  const estimate = state.sample.mul(x0Sample).add(prediction.mul(x0Prediction));
  const x0 = estimate.maximum(least).minimum(most);
  const mean = state.sample.mul(nextSample).add(x0.mul(nextX0));
  const remembered = state.x0.mul(nextEarlierX0).add(anchor.mul(nextAnchor));
  return { sample: mean.add(remembered).add(noise.mul(nextNoise)), x0, anchor };
}

/**
 * An image that is known in some places, as `x_t = signal * x0 + noise * epsilon` there: what painting the rest needs after
 * each evaluation (RePaint, arXiv 2201.09865, equation 8, without its resampling). With the epsilon of the start in all steps the
 * known places move on one line, as a deterministic sampler moves.
 *
 * @param options.level f32 [2]: signal and noise, an evaluation's `to`; or [images, 1, ..., 2], of each image
 * @param options.known not 0 where x0 is known; its shape and `sample`'s broadcast
 * @param options.sample of one shape with the next two
 * @param options.x0 the image that is known
 * @param options.noise the epsilon of the start
 */
export function keepKnownInGraph(options: {
  level: Tensor;
  known: Tensor;
  sample: Tensor;
  x0: Tensor;
  noise: Tensor;
}): Tensor {
  const { level, known, sample, x0, noise } = options;
  return select(known, x0.mul(lastAxis(level, 0)).add(noise.mul(lastAxis(level, 1))), sample);
}

/** Number i of the last axis, which stays, with 1. */
function lastAxis(values: Tensor, i: number): Tensor {
  return values.slice(values.shape.length - 1, i, i + 1);
}
