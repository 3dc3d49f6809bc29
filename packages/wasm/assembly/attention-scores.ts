/** @file Probabilities and gradients of the scores, of one strip of queries and some keys, for attention's gradient. */
import { BLOCK_BYTES } from './attention-panels';
import { allSee, firstSee, nextSee } from './attention-strip';
import { LANES_BYTES, multiplyRows, STRIP, STRIP_BYTES } from './attention-tiles';
import { constants } from './constants';
import { expOrZero4 } from './math';
import { storePair } from './simd';

/** A strip's lanes from floats `stride` bytes apart; zeros from lane `rows` on. */
export function packScalars(x: usize, stride: usize, rows: i32, lanes: usize): void {
  for (let r = 0; r < STRIP; r++) store<f32>(lanes + (<usize>r << 2), r < rows ? load<f32>(x + <usize>r * stride) : 0);
}

/**
 * weights = p = exp(k . q - lse) and gradients = p (v . dOutput - delta), both 0 where a lane does not see a key, for
 * keys [begin, end). `query` and `output` are strips; `scalars` holds lse and delta; k and v are the rows of key
 * `begin` on, side by side.
 */
export function scoreGradients(
  intervals: usize, k: usize, v: usize, begin: i32, end: i32, headDim: i32,
  query: usize, output: usize, scalars: usize, weights: usize, gradients: usize,
): void {
  const headBytes = <usize>headDim << 2;
  multiplyRows(k, headBytes, end - begin, headDim, query, weights, BLOCK_BYTES);
  multiplyRows(v, headBytes, end - begin, headDim, output, gradients, BLOCK_BYTES);
  const every = allSee(intervals, begin, end);
  for (let lanes: usize = 0; lanes < STRIP_BYTES; lanes += LANES_BYTES) {
    if (every) laneGradients(scalars + lanes, end - begin, weights + lanes, gradients + lanes);
    else maskedLaneGradients(intervals + lanes, scalars + lanes, begin, end, weights + lanes, gradients + lanes);
  }
}

/** Eight lanes that see all keys. */
function laneGradients(scalars: usize, count: i32, weights: usize, gradients: usize): void {
  const k = constants;
  const lse0 = v128.load(scalars);
  const lse1 = v128.load(scalars, 16);
  const delta0 = v128.load(scalars, STRIP_BYTES);
  const delta1 = v128.load(scalars, STRIP_BYTES + 16);
  for (; count > 0; count--) {
    const p0 = expOrZero4(f32x4.sub(v128.load(weights), lse0), k);
    const p1 = expOrZero4(f32x4.sub(v128.load(weights, 16), lse1), k);
    const g0 = f32x4.mul(p0, f32x4.sub(v128.load(gradients), delta0));
    const g1 = f32x4.mul(p1, f32x4.sub(v128.load(gradients, 16), delta1));
    storePair(weights, p0, p1);
    storePair(gradients, g0, g1);
    weights += BLOCK_BYTES;
    gradients += BLOCK_BYTES;
  }
}

/** Eight lanes of which not all see all keys. */
function maskedLaneGradients(
  intervals: usize, scalars: usize, begin: i32, end: i32, weights: usize, gradients: usize,
): void {
  const k = constants;
  const lse0 = v128.load(scalars);
  const lse1 = v128.load(scalars, 16);
  const delta0 = v128.load(scalars, STRIP_BYTES);
  const delta1 = v128.load(scalars, STRIP_BYTES + 16);
  for (let j = begin; j < end; j++) {
    const key = i32x4.splat(j);
    const mask0 = firstSee(intervals, key);
    const mask1 = nextSee(intervals, key);
    const p0 = expOrZero4(f32x4.sub(v128.load(weights), lse0), k);
    const p1 = expOrZero4(f32x4.sub(v128.load(weights, 16), lse1), k);
    const g0 = f32x4.mul(p0, f32x4.sub(v128.load(gradients), delta0));
    const g1 = f32x4.mul(p1, f32x4.sub(v128.load(gradients, 16), delta1));
    storePair(weights, v128.and(p0, mask0), v128.and(p1, mask1));
    storePair(gradients, v128.and(g0, mask0), v128.and(g1, mask1));
    weights += BLOCK_BYTES;
    gradients += BLOCK_BYTES;
  }
}
