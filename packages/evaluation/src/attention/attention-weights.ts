/** @file The weights of attention, which the fused kernel never stores: softmax(q k^T / sqrt(headDim)) under the mask, in f64. */
import type { LayerArrays } from './observe-attention.js';

export interface AttentionSizes {
  heads: number;
  kvHeads: number;
  headDim: number;
}

/**
 * The weights of one head, [T, T]: row i is what position i looks at. It sums to 1, and is 0 outside begin[i] <= j < end[i].
 *
 * @param mask i32 [T] each
 */
export function attentionWeights(
  { q, k }: Pick<LayerArrays, 'q' | 'k'>,
  mask: { begin: Int32Array; end: Int32Array },
  head: number,
  { heads, kvHeads, headDim }: AttentionSizes,
): Float64Array {
  const { length } = mask.begin;
  const weights = new Float64Array(length * length);
  // Neighbouring heads share keys.
  const kvHead = Math.floor((head * kvHeads) / heads);
  for (let i = 0; i < length; i++) {
    const row = weights.subarray(i * length, (i + 1) * length);
    const [begin, end] = [mask.begin[i], mask.end[i]];
    let most = Number.NEGATIVE_INFINITY;
    for (let j = begin; j < end; j++) {
      let score = 0;
      for (let c = 0; c < headDim; c++) {
        score += q[(i * heads + head) * headDim + c] * k[(j * kvHeads + kvHead) * headDim + c];
      }
      row[j] = score / Math.sqrt(headDim);
      most = Math.max(most, row[j]);
    }
    let sum = 0;
    for (let j = begin; j < end; j++) sum += row[j] = Math.exp(row[j] - most);
    for (let j = begin; j < end; j++) row[j] /= sum;
  }
  return weights;
}
