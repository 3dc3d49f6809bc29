/** @file Kernel distance of two sets of features: KID where they are those of Inception v3 (Binkowski et al. 2018). */
import { checkAlike, checkFeatures, dot, type Features } from './features.js';

/**
 * The squared maximum mean discrepancy with the kernel k(x, y) = (x . y / dimensions + 1)^3, without bias:
 *
 *     mean of k(x, x') over pairs of a + mean of k(y, y') over pairs of b - 2 mean of k(x, y)
 *
 * where no row is paired with itself. Of two sets of one distribution it is 0 on average, whatever their counts, so it may be
 * negative. Over all rows at once: the usual mean over subsets of 1,000 estimates the same, with more noise. Papers often show 1,000
 * times the distance.
 *
 * @throws TransfusionError EVALUATION_MISMATCH: rows of different lengths; EVALUATION_VALUE: fewer than 2 rows in a set
 */
export function kernelDistance(a: Features, b: Features): number {
  checkFeatures('kernelDistance: the first set', a, 2);
  checkFeatures('kernelDistance: the second set', b, 2);
  checkAlike('kernelDistance', a, b);
  return meanInside(a) + meanInside(b) - 2 * meanBetween(a, b);
}

function kernel(a: Features, i: number, b: Features, j: number): number {
  return (dot(a, i, b, j) / a.dimensions + 1) ** 3;
}

function meanInside(set: Features): number {
  let sum = 0;
  for (let i = 1; i < set.count; i++) {
    for (let j = 0; j < i; j++) sum += kernel(set, i, set, j);
  }
  return sum / ((set.count * (set.count - 1)) / 2);
}

function meanBetween(a: Features, b: Features): number {
  let sum = 0;
  for (let i = 0; i < a.count; i++) {
    for (let j = 0; j < b.count; j++) sum += kernel(a, i, b, j);
  }
  return sum / (a.count * b.count);
}
