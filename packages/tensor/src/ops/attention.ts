/** @file Attention in which every query sees one interval of keys. The score matrix is never stored. */

import { applyAll, type OpDefinition, type ReferenceArray, type Tensor, type TensorType } from '../graph/node.js';
import { sameShape, shapeError, showShape, sizeOf } from '../graph/shape.js';
import type { AttentionShape } from '../program/kernels/index.js';
import { requireDType } from './elementwise.js';

interface AttentionAttributes {
  scale: number;
}

/** The sizes of an attention of q [batch, queries, heads, headDim] over k [batch or 1, keys, kvHeads, headDim]. */
function attentionShape(q: TensorType, k: TensorType, scale: number): AttentionShape {
  const [batch, queries, heads, headDim] = q.shape;
  return { batch, queries, keys: k.shape[1], heads, kvHeads: k.shape[2], headDim, scale };
}

/** Whether all of the batch see the same keys. */
function sharesKeys(q: TensorType, k: TensorType): boolean {
  return q.shape[0] > 1 && k.shape[0] === 1;
}

/** Inputs q, k, v, begin, end; outputs o like q and lse [batch, queries, heads]. */
const attentionOp: OpDefinition<AttentionAttributes> = {
  name: 'attention',
  infer([q, k, v, begin, end]) {
    for (const t of [q, k, v]) requireDType('attention', t, 'f32');
    requireDType('attention(begin)', begin, 'i32');
    requireDType('attention(end)', end, 'i32');
    const bad = (why: string) =>
      shapeError(`attention: q ${showShape(q.shape)}, k ${showShape(k.shape)}, v ${showShape(v.shape)}: ${why}`);
    if (q.shape.length !== 4 || k.shape.length !== 4) throw bad('each must be [batch, length, heads, headDim]');
    if (!sameShape(k.shape, v.shape)) throw bad('k and v must be equal');
    if (q.shape[3] !== k.shape[3]) throw bad('headDim must agree');
    if (k.shape[0] !== q.shape[0] && k.shape[0] !== 1) throw bad('the batch of k and v must be that of q, or 1');
    if (q.shape[2] % k.shape[2] !== 0)
      throw bad(`${q.shape[2]} query heads must be a multiple of ${k.shape[2]} key heads`);
    for (const [name, interval] of [
      ['begin', begin],
      ['end', end],
    ] as const) {
      if (!sameShape(interval.shape, q.shape.slice(0, 2))) {
        throw shapeError(
          `attention: ${name} must be [batch, queries] ${showShape(q.shape.slice(0, 2))}, got ${showShape(interval.shape)}`,
        );
      }
    }
    return [q, { shape: q.shape.slice(0, 3), dtype: 'f32' }];
  },
  reference({ inputs: [q, k, v, begin, end], inputTypes, attributes: { scale } }) {
    const [ofQ, ofK] = inputTypes;
    const shape = { ...attentionShape(ofQ, ofK, scale), sharedKeys: sharesKeys(ofQ, ofK) };
    const output = new Float64Array(q.length);
    const lse = new Float64Array(q.length / shape.headDim);
    forEachQuery(shape, begin, end, (row, keys) => {
      const { headDim } = shape;
      const scores = keys.map((at) => scale * dot(q, row * headDim, k, at, headDim));
      if (scores.length === 0) return;
      const max = Math.max(...scores);
      const sum = scores.reduce((total, score) => total + Math.exp(score - max), 0);
      lse[row] = max + Math.log(sum);
      scores.forEach((score, j) => {
        const p = Math.exp(score - lse[row]);
        for (let c = 0; c < headDim; c++) output[row * headDim + c] += p * v[keys[j] + c];
      });
    });
    return [output, lse];
  },
  gradient({ inputs: [q, k, v, begin, end], outputs: [o, lse], gradients: [g], attributes }) {
    if (!g) return [];
    const delta = g.mul(o).sum(3);
    // Over keys that all share, the batch is one long row of queries.
    const asOne = (t: Tensor) => (k.shape[0] === 1 ? t.reshape([1, -1, ...t.shape.slice(2)]) : t);
    const inputs = [asOne(q), k, v, ...[begin, end, lse, delta, g].map(asOne)];
    const [dq, dk, dv] = applyAll(attentionGradOp, inputs, attributes);
    return [dq.reshape(q.shape), dk, dv, undefined, undefined];
  },
  kernel({ inputs, attributes: { scale }, reads: [q, k, v, begin, end], writes: [output, lse] }) {
    const shape = { ...attentionShape(inputs[0], inputs[1], scale), sharedKeys: sharesKeys(inputs[0], inputs[1]) };
    return { kind: 'attention', ...shape, q, k, v, begin, end, output, lse };
  },
};

/** Inputs q, k, v, begin, end, lse, delta = sum(dO o), dO; outputs dq, dk, dv. */
const attentionGradOp: OpDefinition<AttentionAttributes> = {
  name: 'attentionGrad',
  infer: ([q, k, v]) => [q, k, v],
  reference({ inputs: [q, k, v, begin, end, lse, delta, g], inputTypes, attributes: { scale } }) {
    const shape = attentionShape(inputTypes[0], inputTypes[1], scale);
    const { headDim } = shape;
    const dq = new Float64Array(q.length);
    const dk = new Float64Array(k.length);
    const dv = new Float64Array(v.length);
    forEachQuery(shape, begin, end, (row, keys) => {
      const at = row * headDim;
      for (const key of keys) {
        const p = Math.exp(scale * dot(q, at, k, key, headDim) - lse[row]);
        const ds = p * (dot(g, at, v, key, headDim) - delta[row]) * scale;
        for (let c = 0; c < headDim; c++) {
          dq[at + c] += ds * k[key + c];
          dk[key + c] += ds * q[at + c];
          dv[key + c] += p * g[at + c];
        }
      }
    });
    return [dq, dk, dv];
  },
  kernel({ inputs, attributes: { scale }, reads, writes: [dq, dk, dv] }) {
    const [q, k, v, begin, end, lse, delta, dOutput] = reads;
    return {
      kind: 'attentionGrad',
      ...attentionShape(inputs[0], inputs[1], scale),
      ...{ q, k, v, begin, end, lse, delta, dOutput, dq, dk, dv },
    };
  },
};

function dot(a: ReferenceArray, atA: number, b: ReferenceArray, atB: number, length: number): number {
  let sum = 0;
  for (let c = 0; c < length; c++) sum += a[atA + c] * b[atB + c];
  return sum;
}

/** Calls `visit` for every (batch, query, head) row with the element offsets of the keys it sees. */
function forEachQuery(
  { batch, queries, keys, heads, kvHeads, headDim, sharedKeys = false }: AttentionShape & { sharedKeys?: boolean },
  begin: ReferenceArray,
  end: ReferenceArray,
  visit: (row: number, keys: number[]) => void,
): void {
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < queries; i++) {
      const first = Math.max(0, begin[b * queries + i]);
      const last = Math.min(keys, end[b * queries + i]);
      for (let h = 0; h < heads; h++) {
        const kvHead = Math.floor(h / (heads / kvHeads));
        const seen: number[] = [];
        const base = sharedKeys ? 0 : b * keys;
        for (let j = first; j < last; j++) seen.push(((base + j) * kvHeads + kvHead) * headDim);
        visit((b * queries + i) * heads + h, seen);
      }
    }
  }
}

export interface AttentionOptions {
  /** [batch, queries, heads, headDim] */
  q: Tensor;
  /** [batch, keys, kvHeads, headDim], or of batch 1: the same keys for all; kvHeads divides heads */
  k: Tensor;
  /** like k */
  v: Tensor;
  /** i32 [batch, queries]: query i sees keys begin <= j < end */
  begin: Tensor;
  end: Tensor;
  /** default 1 / sqrt(headDim) */
  scale?: number;
}

/** softmax(scale q k^T over the interval) v: [batch, queries, heads, headDim]; zero where the interval is empty. */
export function attention({ q, k, v, begin, end, scale }: AttentionOptions): Tensor {
  return applyAll(attentionOp, [q, k, v, begin, end], { scale: scale ?? 1 / Math.sqrt(sizeOf(q.shape.slice(-1))) })[0];
}
