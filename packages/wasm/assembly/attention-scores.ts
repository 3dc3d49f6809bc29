/** @file Probabilities and gradients of the scores, of one strip of queries and some keys, for attention's gradient. */
import { BLOCK_BYTES } from './attention-panels';
import { allSee, sees } from './attention-strip';
import { multiplyRows } from './attention-tiles';
import { expOrZero4 } from './math';

/** Eight lanes from floats `stride` bytes apart; zeros from lane `rows` on. */
export function packScalars(x: usize, stride: usize, rows: i32, lanes: usize): void {
  for (let r = 0; r < 8; r++) store<f32>(lanes + (<usize>r << 2), r < rows ? load<f32>(x + <usize>r * stride) : 0);
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
  const lse0 = v128.load(scalars);
  const lse1 = v128.load(scalars, 16);
  const delta0 = v128.load(scalars, 32);
  const delta1 = v128.load(scalars, 48);
  for (let j = begin; j < end; j++) {
    let p0 = expOrZero4(f32x4.sub(v128.load(weights), lse0));
    let p1 = expOrZero4(f32x4.sub(v128.load(weights, 16), lse1));
    let g0 = f32x4.mul(p0, f32x4.sub(v128.load(gradients), delta0));
    let g1 = f32x4.mul(p1, f32x4.sub(v128.load(gradients, 16), delta1));
    if (!every) {
      const mask0 = sees(intervals, 0, i32x4.splat(j));
      const mask1 = sees(intervals, 16, i32x4.splat(j));
      p0 = v128.and(p0, mask0);
      p1 = v128.and(p1, mask1);
      g0 = v128.and(g0, mask0);
      g1 = v128.and(g1, mask1);
    }
    v128.store(weights, p0);
    v128.store(weights, p1, 16);
    v128.store(gradients, g0);
    v128.store(gradients, g1, 16);
    weights += BLOCK_BYTES;
    gradients += BLOCK_BYTES;
  }
}
