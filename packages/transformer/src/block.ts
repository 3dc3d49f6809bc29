/** @file The Llama block: pre-norm attention and SwiGLU, both added to the residual stream. */
import { project, rmsNorm, swiglu } from '@transfusion/nn';
import { attention as attend, type RopeTable, rope, type Tensor, writeRows } from '@transfusion/tensor';
import type { AttentionParameters, BlockParameters } from './parameters.js';

/** What every block needs to know of the sequence. */
export interface SequenceContext {
  headDim: number;
  normEpsilon: number;
  ropeTable: RopeTable;
  /** i32 [batch, queries]: rotary positions. */
  positions: Tensor;
  /** i32 [batch, queries]: each query sees keys begin <= j < end. */
  begin: Tensor;
  end: Tensor;
}

/** Keys and values of earlier positions, and where this call's go. */
export interface LayerCache {
  /** [batch * capacity, kvHeads, headDim] */
  key: Tensor;
  value: Tensor;
}

export interface CacheContext {
  /** i32 [batch, queries]: row of the cache (batch * capacity of them) for each position; out of range: not stored. */
  rows: Tensor;
  layers: readonly LayerCache[];
}

/** x [batch, queries, channels] -> the same, and the cache with this call's keys and values. */
export function block(
  p: BlockParameters,
  x: Tensor,
  context: SequenceContext,
  cache?: { rows: Tensor; layer: LayerCache },
): { x: Tensor; cache?: LayerCache } {
  const attended = attention(p.attention, rmsNorm(p.attentionNorm, x, context.normEpsilon), context, cache);
  const h = x.add(attended.x);
  return { x: h.add(swiglu(p.feedForward, rmsNorm(p.feedForwardNorm, h, context.normEpsilon))), cache: attended.cache };
}

function attention(
  p: AttentionParameters,
  x: Tensor,
  context: SequenceContext,
  cache?: { rows: Tensor; layer: LayerCache },
): { x: Tensor; cache?: LayerCache } {
  const { headDim, positions, begin, end, ropeTable } = context;
  const [batch, queries] = x.shape;
  const heads = (projected: Tensor) => projected.reshape([batch, queries, -1, headDim]); // [B, T, H, D]
  const normed = (gain: Tensor | undefined, t: Tensor) => (gain ? rmsNorm(gain, t, context.normEpsilon) : t);
  const q = rope(normed(p.queryNorm, heads(project(p.query, x))), positions, ropeTable);
  let k = rope(normed(p.keyNorm, heads(project(p.key, x))), positions, ropeTable);
  let v = heads(project(p.value, x));
  let stored: LayerCache | undefined;
  if (cache) {
    stored = { key: writeRows(cache.layer.key, cache.rows, k), value: writeRows(cache.layer.value, cache.rows, v) };
    const [, kvHeads] = cache.layer.key.shape;
    k = stored.key.reshape([batch, -1, kvHeads, headDim]); // [B, capacity, Hkv, D]
    v = stored.value.reshape([batch, -1, kvHeads, headDim]);
  }
  const mixed = attend({ q, k, v, begin, end }).reshape([batch, queries, -1]);
  return { x: project(p.output, mixed), cache: stored };
}
