/** @file Where one head of an operand of attention lies. */
import type { AttentionShape } from '@transfusion/tensor';
import type { BindingSet, StorageArray } from '../../lowering.js';

/** A [batch, sequence, heads, headDim] operand at one head: position p starts at `base + p * stride` storage elements. */
export interface HeadOperand {
  array: StorageArray;
  base: string;
  stride: number;
  length: number;
}

export type SharedAttentionShape = AttentionShape & { sharedKeys?: boolean };

/** Binds a query-sided (q, output, dOutput, dq) or key-sided (k, v, dk, dv) buffer. WGSL `batch`, `head`, `kv_head` give its head. */
export function headOperand(options: {
  shape: SharedAttentionShape;
  bindings: BindingSet;
  buffer: number;
  name: string;
  side: 'query' | 'key';
  /** vec4f: headDim is a multiple of 4. */
  type: 'vec4f' | 'f32';
}): HeadOperand {
  const { shape, bindings, buffer, name, side, type } = options;
  const { queries, keys, heads, kvHeads, headDim, sharedKeys = false } = shape;
  const unit = type === 'vec4f' ? headDim / 4 : headDim;
  const [length, count, head] = side === 'query' ? [queries, heads, 'head'] : [keys, kvHeads, 'kv_head'];
  return {
    array: bindings.buffer(buffer, name, type),
    base: `(batch * ${side === 'key' && sharedKeys ? 0 : length * count}u + ${head}) * ${unit}u`,
    stride: count * unit,
    length,
  };
}
