/** @file Attention and its gradient in f64, straight from the definition; see `AttentionKernel` in @transfusion/tensor. */
import type { AttentionShape } from '@transfusion/tensor';

export interface AttentionInputs {
  q: ArrayLike<number>;
  k: ArrayLike<number>;
  v: ArrayLike<number>;
  begin: Int32Array;
  end: Int32Array;
}

/** Calls `visit` for every query of every head, with its probabilities of the keys in [first, last). */
function forEachQuery(
  shape: AttentionShape,
  { q, k, begin, end }: AttentionInputs,
  visit: (query: {
    row: number;
    qAt: number;
    kvAt(key: number): number;
    first: number;
    p: number[];
    lse: number;
  }) => void,
): void {
  const { batch, queries, keys, heads, kvHeads, headDim, scale } = shape;
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < queries; i++) {
      const first = Math.max(0, begin[b * queries + i]);
      const last = Math.min(keys, end[b * queries + i]);
      for (let h = 0; h < heads; h++) {
        const row = (b * queries + i) * heads + h;
        const qAt = row * headDim;
        const kvHead = Math.floor(h / (heads / kvHeads));
        const kvAt = (key: number) => ((b * keys + key) * kvHeads + kvHead) * headDim;
        const scores: number[] = [];
        for (let j = first; j < last; j++) {
          let score = 0;
          for (let d = 0; d < headDim; d++) score += q[qAt + d] * k[kvAt(j) + d];
          scores.push(score * scale);
        }
        const max = Math.max(...scores);
        const sum = scores.reduce((total, score) => total + Math.exp(score - max), 0);
        const lse = scores.length > 0 ? max + Math.log(sum) : 0;
        visit({ row, qAt, kvAt, first, p: scores.map((score) => Math.exp(score - lse)), lse });
      }
    }
  }
}

/** output and lse. */
export function attentionReference(shape: AttentionShape, inputs: AttentionInputs) {
  const { batch, queries, heads, headDim } = shape;
  const output = new Float64Array(batch * queries * heads * headDim);
  const lses = new Float64Array(batch * queries * heads);
  forEachQuery(shape, inputs, ({ row, qAt, kvAt, first, p, lse }) => {
    lses[row] = lse;
    p.forEach((weight, j) => {
      for (let d = 0; d < headDim; d++) output[qAt + d] += weight * inputs.v[kvAt(first + j) + d];
    });
  });
  return { output, lse: lses };
}

/** delta, dq, dk and dv for a gradient of the output. */
export function attentionGradReference(shape: AttentionShape, inputs: AttentionInputs, dOutput: ArrayLike<number>) {
  const { queries, heads, headDim, batch, scale } = shape;
  const { q, k, v } = inputs;
  const { output } = attentionReference(shape, inputs);
  const delta = new Float64Array(batch * queries * heads);
  const dq = new Float64Array(q.length);
  const dk = new Float64Array(k.length);
  const dv = new Float64Array(v.length);
  forEachQuery(shape, inputs, ({ row, qAt, kvAt, first, p }) => {
    for (let d = 0; d < headDim; d++) delta[row] += dOutput[qAt + d] * output[qAt + d];
    p.forEach((weight, j) => {
      const at = kvAt(first + j);
      let dp = 0;
      for (let d = 0; d < headDim; d++) {
        dp += dOutput[qAt + d] * v[at + d];
        dv[at + d] += weight * dOutput[qAt + d];
      }
      const dScore = weight * (dp - delta[row]) * scale;
      for (let d = 0; d < headDim; d++) {
        dq[qAt + d] += dScore * k[at + d];
        dk[at + d] += dScore * q[qAt + d];
      }
    });
  });
  return { delta, dq, dk, dv };
}
