/** @file Plain f64 references of attention with key intervals, and of its gradient. Shapes as in `AttentionKernel`. */
import type { AttentionShape } from '@transfusion/tensor';

type Numbers = ArrayLike<number>;

export interface AttentionInputs {
  q: Numbers;
  k: Numbers;
  v: Numbers;
  begin: Numbers;
  end: Numbers;
}

/** Calls `visit` for every batch, query and head, with the offset of its q row, its keys' probabilities and its lse. */
function forEachQuery(
  shape: AttentionShape,
  { q, k, begin, end }: AttentionInputs,
  visit: (row: { index: number; firstKey: number; keyRow: (key: number) => number; p: number[]; lse: number }) => void,
): void {
  const { batch, queries, keys, heads, kvHeads, headDim, scale } = shape;
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < queries; i++) {
      const low = Math.max(0, begin[b * queries + i]!);
      const high = Math.min(keys, end[b * queries + i]!);
      for (let h = 0; h < heads; h++) {
        const index = (b * queries + i) * heads + h;
        const kvHead = Math.floor(h / (heads / kvHeads));
        const keyRow = (key: number): number => ((b * keys + key) * kvHeads + kvHead) * headDim;
        const scores: number[] = [];
        for (let key = low; key < high; key++) {
          let score = 0;
          for (let d = 0; d < headDim; d++) score += q[index * headDim + d]! * k[keyRow(key) + d]!;
          scores.push(score * scale);
        }
        const maximum = Math.max(...scores);
        const total = scores.reduce((sum, score) => sum + Math.exp(score - maximum), 0);
        const lse = scores.length === 0 ? 0 : maximum + Math.log(total);
        visit({ index, firstKey: low, keyRow, p: scores.map((score) => Math.exp(score - lse)), lse });
      }
    }
  }
}

export function attentionReference(
  shape: AttentionShape,
  inputs: AttentionInputs,
): { output: Float64Array; lse: Float64Array } {
  const { batch, queries, heads, headDim } = shape;
  const output = new Float64Array(batch * queries * heads * headDim);
  const lse = new Float64Array(batch * queries * heads);
  forEachQuery(shape, inputs, (row) => {
    lse[row.index] = row.lse;
    row.p.forEach((p, n) => {
      for (let d = 0; d < headDim; d++) {
        output[row.index * headDim + d]! += p * inputs.v[row.keyRow(row.firstKey + n) + d]!;
      }
    });
  });
  return { output, lse };
}

/** delta [batch, queries, heads] = sum over headDim of dOutput * output. */
export function deltaReference(shape: AttentionShape, output: Numbers, dOutput: Numbers): Float64Array {
  const { batch, queries, heads, headDim } = shape;
  const delta = new Float64Array(batch * queries * heads);
  for (let i = 0; i < delta.length * headDim; i++) delta[Math.floor(i / headDim)]! += output[i]! * dOutput[i]!;
  return delta;
}

export function attentionGradReference(
  shape: AttentionShape,
  inputs: AttentionInputs,
  dOutput: Numbers,
): { dq: Float64Array; dk: Float64Array; dv: Float64Array } {
  const { headDim, scale } = shape;
  const { output } = attentionReference(shape, inputs);
  const delta = deltaReference(shape, output, dOutput);
  const dq = new Float64Array(inputs.q.length);
  const dk = new Float64Array(inputs.k.length);
  const dv = new Float64Array(inputs.v.length);
  forEachQuery(shape, inputs, (row) => {
    const queryRow = row.index * headDim;
    row.p.forEach((p, n) => {
      const keyRow = row.keyRow(row.firstKey + n);
      let dp = 0;
      for (let d = 0; d < headDim; d++) dp += dOutput[queryRow + d]! * inputs.v[keyRow + d]!;
      const ds = p * (dp - delta[row.index]!) * scale;
      for (let d = 0; d < headDim; d++) {
        dv[keyRow + d]! += p * dOutput[queryRow + d]!;
        dq[queryRow + d]! += ds * inputs.k[keyRow + d]!;
        dk[keyRow + d]! += ds * inputs.q[queryRow + d]!;
      }
    });
  });
  return { dq, dk, dv };
}
