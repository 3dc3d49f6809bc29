/** @file Mean and covariance of features, in parts: sets too large for the memory, or kept for later. */
import { mismatch, unmeasurable } from './errors.js';
import { checkAlike, checkFeatures, type Features } from './features.js';

/** A normal distribution. */
export interface GaussianStatistics {
  dimensions: number;
  /** [dimensions] */
  mean: Float64Array;
  /** [dimensions, dimensions], symmetric. */
  covariance: Float64Array;
}

/** Of `count` rows; the covariance divides by count - 1, as numpy's `cov`, and is 0 for one row. */
export interface FeatureStatistics extends GaussianStatistics {
  count: number;
}

/** @throws TransfusionError EVALUATION_VALUE, EVALUATION_MISMATCH: see `Features` */
export function featureStatistics(features: Features): FeatureStatistics {
  checkFeatures('featureStatistics', features);
  const { count, dimensions, data } = features;
  const mean = new Float64Array(dimensions);
  for (let i = 0; i < data.length; i++) mean[i % dimensions] += data[i];
  for (let d = 0; d < dimensions; d++) mean[d] /= count;
  const covariance = new Float64Array(dimensions ** 2);
  const centred = new Float64Array(dimensions);
  for (let row = 0; row < count; row++) {
    for (let d = 0; d < dimensions; d++) centred[d] = data[row * dimensions + d] - mean[d];
    for (let i = 0; i < dimensions; i++) {
      const [at, share] = [i * dimensions, centred[i] / Math.max(1, count - 1)];
      for (let j = 0; j <= i; j++) covariance[at + j] += share * centred[j];
    }
  }
  mirror(covariance, dimensions);
  return { count, dimensions, mean, covariance };
}

/**
 * Those of the rows of both (Chan, Golub, LeVeque 1979): `parts.map(featureStatistics).reduce(mergeStatistics)` are those of all parts.
 *
 * @throws TransfusionError EVALUATION_MISMATCH: rows of different lengths
 */
export function mergeStatistics(a: FeatureStatistics, b: FeatureStatistics): FeatureStatistics {
  checkStatistics('mergeStatistics', a);
  checkStatistics('mergeStatistics', b);
  checkAlike('mergeStatistics', a, b);
  const { dimensions } = a;
  const count = a.count + b.count;
  const apart = a.mean.map((value, d) => b.mean[d] - value);
  const mean = a.mean.map((value, d) => value + apart[d] * (b.count / count));
  const between = (a.count * b.count) / count;
  const covariance = new Float64Array(dimensions ** 2);
  for (let i = 0; i < dimensions; i++) {
    for (let j = 0; j <= i; j++) {
      const at = i * dimensions + j;
      const within = (a.count - 1) * a.covariance[at] + (b.count - 1) * b.covariance[at];
      covariance[at] = (within + between * apart[i] * apart[j]) / (count - 1);
    }
  }
  mirror(covariance, dimensions);
  return { count, dimensions, mean, covariance };
}

/** The lower triangle to the upper one. */
function mirror(matrix: Float64Array, size: number): void {
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < i; j++) matrix[j * size + i] = matrix[i * size + j];
  }
}

export function checkStatistics(name: string, statistics: GaussianStatistics & { count?: number }): void {
  const { dimensions, mean, covariance, count } = statistics;
  if (mean.length !== dimensions || covariance.length !== dimensions ** 2) {
    throw mismatch(
      `${name}: of ${dimensions} dimensions the mean has ${mean.length} numbers and the covariance ${covariance.length}, expected ${dimensions} and ${dimensions ** 2}`,
    );
  }
  if (count !== undefined && !(Number.isInteger(count) && count >= 1)) {
    throw unmeasurable(`${name}: statistics of ${count} rows, expected 1 or more`);
  }
  if (!(mean.every(Number.isFinite) && covariance.every(Number.isFinite))) {
    throw unmeasurable(`${name}: the mean or the covariance has numbers that are not finite`);
  }
  for (let i = 0; i < dimensions; i++) {
    for (let j = 0; j < i; j++) {
      const [lower, upper] = [covariance[i * dimensions + j], covariance[j * dimensions + i]];
      if (Math.abs(lower - upper) <= 1e-5 * Math.max(Math.abs(lower), Math.abs(upper), 1e-300)) continue;
      throw unmeasurable(
        `${name}: the covariance is not symmetric: [${i}, ${j}] is ${lower}, [${j}, ${i}] is ${upper}`,
        'give covariances as `featureStatistics` makes them',
      );
    }
  }
}
