/** @file Improved precision and recall of generated pictures (Kynkäänniemi et al. 2019). */
import { checkCount } from './errors.js';
import { checkAlike, checkFeatures, type Features, squaredDistance } from './features.js';

/**
 * A set covers the balls around its rows that reach to their k-th nearest neighbour in it. `precision`: the share of generated
 * pictures in what the real ones cover, which is fidelity. `recall`: the share of real pictures in what the generated ones cover,
 * which is variety. Distances are Euclidean; the balls' edges belong to them. Time grows with (real + generated)^2 dimensions.
 *
 * Both fall with fewer rows; compare equal counts. The paper has 50,000 of each, of VGG16's features.
 *
 * @param options.k default 3
 * @throws TransfusionError EVALUATION_VALUE: not more than k rows in a set; EVALUATION_MISMATCH: rows of different lengths
 */
export function precisionRecall(options: { real: Features; generated: Features; k?: number }): {
  precision: number;
  recall: number;
} {
  const { real, generated, k = 3 } = options;
  checkCount('precisionRecall: k', k);
  checkFeatures('precisionRecall: real', real, k + 1);
  checkFeatures('precisionRecall: generated', generated, k + 1);
  checkAlike('precisionRecall', real, generated);
  return { precision: covered(generated, real, k), recall: covered(real, generated, k) };
}

/** Share of the rows of `points` inside any ball of `centres`. */
function covered(points: Features, centres: Features, k: number): number {
  const radii = squaredRadii(centres, k);
  let inside = 0;
  for (let i = 0; i < points.count; i++) {
    if (radii.some((radius, j) => squaredDistance(points, i, centres, j) <= radius)) inside++;
  }
  return inside / points.count;
}

/** Of each row, the squared distance to its k-th nearest among the others. */
function squaredRadii(set: Features, k: number): Float64Array {
  return Float64Array.from({ length: set.count }, (_, i) => {
    const distances = Float64Array.from({ length: set.count }, (_, j) => squaredDistance(set, i, set, j));
    distances[i] = Number.POSITIVE_INFINITY;
    return distances.sort()[k - 1];
  });
}
