/** @file The Llama block: attention and a feed-forward, both of normed inputs or normed themselves, added to the residual stream. */
import { project, rmsNorm } from '@transfusion/nn';
import { attention as attend, type Tensor, writeRows } from '@transfusion/tensor';
import { feedForward, type Modalities } from './feed-forward.js';
import type { AttentionParameters, BlockParameters } from './parameters.js';
import type { Rotation } from './rotary-positions.js';

/** What every block needs to know of the sequence. */
export interface SequenceContext {
  headDim: number;
  normEpsilon: number;
  /** Whether what goes into attention and feed-forward is normed, or what comes out. */
  norm: 'pre' | 'post';
  /** By the positions of the call. */
  rotate: Rotation;
  /** i32 [batch, queries]: each query sees keys begin <= j < end: positions of its sequence or, with a cache, rows of the cache. */
  begin: Tensor;
  end: Tensor;
  modalities: Modalities;
}

/** Keys and values of earlier positions, and where this call's go. */
export interface LayerCache {
  /** `[rows, kvHeads, headDim]`: any number of sequences of any lengths. */
  key: Tensor;
  value: Tensor;
}

export interface CacheContext {
  /** i32 [batch, queries]: row of the cache for each position; out of range: not stored. */
  rows: Tensor;
  layers: readonly LayerCache[];
}

/** What attention is computed from, and what comes out of it. */
export interface ObservedAttention {
  /** `[batch, queries, heads, headDim]`: normed where the model norms queries and keys, and rotated. */
  q: Tensor;
  /** [batch, keys, kvHeads, headDim] each, with a cache [1, rows, kvHeads, headDim]; head h attends to kvHead floor(h kvHeads / heads). */
  k: Tensor;
  v: Tensor;
  /** [batch, queries, heads, headDim], before the output projection. */
  output: Tensor;
}

export interface BlockOptions {
  /** The layer's keys and values of earlier positions, and the rows of it for this call's. */
  cache?: { rows: Tensor; layer: LayerCache };
  /** Told the attention, as it is traced. */
  observe?: (seen: ObservedAttention) => void;
}

/** x [batch, queries, channels] -> the same, and the cache with this call's keys and values. */
export function block(
  p: BlockParameters,
  x: Tensor,
  context: SequenceContext,
  options: BlockOptions = {},
): { x: Tensor; cache?: LayerCache } {
  const normed = (gain: Tensor, each: Tensor) => rmsNorm(gain, each, context.normEpsilon);
  if (context.norm === 'post') {
    const attended = attention(p.attention, x, context, options);
    const h = x.add(normed(p.attentionNorm, attended.x));
    const fed = feedForward(p, h, context.modalities);
    return { x: h.add(normed(p.feedForwardNorm, fed)), cache: attended.cache };
  }
  const attended = attention(p.attention, normed(p.attentionNorm, x), context, options);
  const h = x.add(attended.x);
  return { x: h.add(feedForward(p, normed(p.feedForwardNorm, h), context.modalities)), cache: attended.cache };
}

function attention(
  p: AttentionParameters,
  x: Tensor,
  context: SequenceContext,
  { cache, observe }: BlockOptions,
): { x: Tensor; cache?: LayerCache } {
  const { headDim, rotate, begin, end } = context;
  const [batch, queries] = x.shape;
  const heads = (projected: Tensor) => projected.reshape([batch, queries, -1, headDim]); // [B, T, H, D]
  const normed = (gain: Tensor | undefined, t: Tensor) => (gain ? rmsNorm(gain, t, context.normEpsilon) : t);
  const q = rotate(normed(p.queryNorm, heads(project(p.query, x))));
  let k = rotate(normed(p.keyNorm, heads(project(p.key, x))));
  let v = heads(project(p.value, x));
  let stored: LayerCache | undefined;
  if (cache) {
    stored = { key: writeRows(cache.layer.key, cache.rows, k), value: writeRows(cache.layer.value, cache.rows, v) };
    const [, kvHeads] = cache.layer.key.shape;
    k = stored.key.reshape([1, -1, kvHeads, headDim]); // [1, rows, Hkv, D]
    v = stored.value.reshape([1, -1, kvHeads, headDim]);
  }
  const output = attend({ q, k, v, begin, end });
  observe?.({ q, k, v, output });
  return { x: project(p.output, output.reshape([batch, queries, -1])), cache: stored };
}
