/** @file Fréchet distance of two sets of features: FID where they are those of Inception v3 (Heusel et al. 2017). */
import { CholeskyDecomposition, EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { unmeasurable } from './errors.js';
import {
  checkStatistics,
  type FeatureStatistics,
  featureStatistics,
  type GaussianStatistics,
} from './feature-statistics.js';
import { checkAlike, type Features } from './features.js';

/** Of an eigenvalue, as a share of the largest: that of covariances in f32. */
const LARGEST_ERROR = 1e-5;

type Distribution = Features | FeatureStatistics | GaussianStatistics;

/**
 * |mean(a) - mean(b)|^2 + Tr(A + B - 2 (A B)^(1/2)), of normal distributions with the means and covariances A, B of the sets
 * (Dowson, Landau 1982).
 *
 * It is biased: of two sets of one distribution it is above 0, the more so the fewer rows and the more dimensions there are. Only
 * distances of equal counts can be compared; the one between real pictures and as many others of them tells what 0 looks like.
 * The trace is right to about 1e-7 of its parts, also of singular covariances, where there are fewer rows than dimensions. Time grows
 * with dimensions^3, see the README.
 *
 * @param a features of 2 rows or more, or what `featureStatistics` made of them, or a mean and a covariance from elsewhere
 * @throws TransfusionError EVALUATION_MISMATCH: rows of different lengths; EVALUATION_VALUE: fewer than 2 rows, numbers that are not
 *   finite, a covariance that is none since it has negative eigenvalues
 */
export function frechetDistance(a: Distribution, b: Distribution): number {
  const [first, second] = [statisticsOf('the first set', a), statisticsOf('the second set', b)];
  checkAlike('frechetDistance', first, second);
  const means = first.mean.reduce((sum, value, d) => sum + (value - second.mean[d]) ** 2, 0);
  const traces = trace(first) + trace(second) - 2 * traceOfRoot(first, second);
  return Math.max(0, means + traces);
}

function statisticsOf(name: string, set: Distribution): GaussianStatistics {
  const where = `frechetDistance: ${name}`;
  if ('count' in set && set.count < 2)
    throw unmeasurable(`${where} has ${set.count} row; a covariance needs 2 or more`);
  if ('data' in set) return featureStatistics(set);
  checkStatistics(where, set);
  return set;
}

function trace({ covariance, dimensions }: GaussianStatistics): number {
  return Array.from({ length: dimensions }, (_, i) => covariance[i * dimensions + i]).reduce(
    (sum, value) => sum + value,
  );
}

/** Tr (A B)^(1/2). With A = L L', the eigenvalues of A B are those of L' B L, which is symmetric. */
function traceOfRoot(a: GaussianStatistics, b: GaussianStatistics): number {
  const { factor, rank } = factorOf(a);
  if (rank === 0) return 0;
  const product = congruence(factor, rank, b);
  const squares = eigen(Matrix.from1DArray(rank, rank, product)).values;
  const smallest = roundOff(squares);
  return squares.reduce((sum, square) => sum + (square > smallest ? Math.sqrt(square) : 0), 0);
}

/**
 * L of A = L L', [dimensions, rank]. Singular covariances have a column for each direction in which they vary; the others are quicker
 * by Cholesky's decomposition.
 */
function factorOf({ covariance, dimensions }: GaussianStatistics): { factor: Float64Array; rank: number } {
  const matrix = Matrix.from1DArray(dimensions, dimensions, covariance);
  // What comes from elsewhere may be symmetric but for its last digits.
  for (let i = 0; i < dimensions; i++) for (let j = 0; j < i; j++) matrix.set(j, i, matrix.get(i, j));
  const cholesky = new CholeskyDecomposition(matrix);
  if (cholesky.isPositiveDefinite()) {
    return { factor: Float64Array.from(cholesky.lowerTriangularMatrix.to1DArray()), rank: dimensions };
  }
  const { values, vectors } = eigen(matrix);
  const limit = roundOff(values);
  const varying = values.flatMap((value, i) => (value > limit ? [i] : []));
  const rows = Array.from({ length: dimensions }, (_, row) =>
    varying.map((column) => vectors.get(row, column) * Math.sqrt(values[column])),
  );
  return { factor: Float64Array.from(rows.flat()), rank: varying.length };
}

/** L' B L, [rank, rank]. */
function congruence(factor: Float64Array, rank: number, { covariance, dimensions }: GaussianStatistics): Float64Array {
  // B' L is B L, and both products are of the same kind.
  const half = transposedProduct(covariance, factor, { rows: dimensions, left: dimensions, right: rank });
  return transposedProduct(factor, half, { rows: dimensions, left: rank, right: rank });
}

/** X' Y of X [rows, left] and Y [rows, right]; ml-matrix takes ten times as long. */
function transposedProduct(
  x: Float64Array,
  y: Float64Array,
  { rows, left, right }: { rows: number; left: number; right: number },
): Float64Array {
  const product = new Float64Array(left * right);
  // So many rows of the result stay in the cache.
  const block = Math.max(1, Math.floor(2 ** 15 / right));
  for (let begin = 0; begin < left; begin += block) {
    const end = Math.min(left, begin + block);
    for (let row = 0; row < rows; row++) {
      for (let i = begin; i < end; i++) {
        const value = x[row * left + i];
        for (let j = 0, to = i * right, from = row * right; j < right; j++) product[to + j] += value * y[from + j];
      }
    }
  }
  return product;
}

/** Eigenvalues nearer to 0 than this cannot be told from it; their roots would add up. */
function roundOff(values: readonly number[]): number {
  return values.length * Number.EPSILON * Math.max(0, ...values.map(Math.abs));
}

/** @throws TransfusionError EVALUATION_VALUE: it is negative */
function eigen(matrix: Matrix): { values: number[]; vectors: Matrix } {
  const decomposition = new EigenvalueDecomposition(matrix, { assumeSymmetric: true });
  const values = decomposition.realEigenvalues;
  const least = Math.min(...values);
  if (least >= -LARGEST_ERROR * Math.max(0, ...values)) {
    return { values, vectors: decomposition.eigenvectorMatrix };
  }
  throw unmeasurable(
    `frechetDistance: a covariance has the eigenvalue ${least}, which no covariance has`,
    'give covariances as `featureStatistics` makes them',
  );
}
