/** @file What the gradient of attention needs to know of a query, packed: a shader stage may have as few as 8 storage buffers. */
import type { AttentionGradKernel } from '@transfusion/tensor';
import { BindingSet, type Dispatch, type LoweringContext, type StorageArray } from '../../lowering.js';
import { threadDispatch } from '../thread-dispatch.js';
import { QUAD } from './tiles.js';

/** Scratch memory for the facts. */
export function factsScratch({ batch, queries, heads }: AttentionGradKernel, context: LoweringContext): number {
  return context.scratch(16 * batch * queries * heads);
}

/**
 * facts [batch, queries, heads] of 4 words: lse and delta (bits of f32), begin and end, clamped to [0, keys] and both 0
 * where the interval is empty.
 */
export function lowerFacts(kernel: AttentionGradKernel, context: LoweringContext, scratch: number): Dispatch {
  const { batch, queries, keys, heads } = kernel;
  const bindings = new BindingSet(context);
  const begin = bindings.buffer(kernel.begin, 'interval_begin', 'i32');
  const end = bindings.buffer(kernel.end, 'interval_end', 'i32');
  const lse = bindings.buffer(kernel.lse, 'lse');
  const delta = bindings.buffer(kernel.delta, 'delta');
  const facts = bindings.scratch(scratch, 'facts', 'u32');
  const body = `
  let low = u32(clamp(${begin.at(`index / ${heads}u`)}, 0, ${keys}));
  let high = u32(clamp(${end.at(`index / ${heads}u`)}, 0, ${keys}));
  ${facts.set('index * 4u', `bitcast<u32>(${lse.at('index')})`)}
  ${facts.set('index * 4u + 1u', `bitcast<u32>(${delta.at('index')})`)}
  ${facts.set('index * 4u + 2u', 'select(0u, low, low < high)')}
  ${facts.set('index * 4u + 3u', 'select(0u, high, low < high)')}`;
  const { device } = context;
  return threadDispatch({ label: 'attentionGrad facts', count: batch * queries * heads, bindings, body, device });
}

/** WGSL reading the facts of query `query` into a vec4u; a query past the end has an empty interval. */
export function factsFunction(facts: StorageArray, kernel: AttentionGradKernel): string {
  return `
fn query_facts(batch: u32, query: u32, head: u32) -> vec4u {
  if (query >= ${kernel.queries}u) { return vec4u(); }
  let at = ((batch * ${kernel.queries}u + query) * ${kernel.heads}u + head) * 4u;
  return vec4u(${QUAD.map((i) => facts.at(`at + ${i}u`)).join(', ')});
}`;
}
