/**
 * @file Fused attention with an interval of keys per query: q, output [batch, queries, heads, headDim];
 * k, v [batch (or, shared, 1), keys, kvHeads, headDim]; begin, end i32 [batch, queries]; lse [batch, queries, heads].
 * output = softmax(scale q k^T over begin <= j < end) v, lse = log sum exp of those scores; an empty interval gives 0, 0.
 *
 * Its gradient, with the probabilities computed again from lse: p = exp(scale q k^T - lse),
 * ds = p (dOutput v^T - delta) scale; dq = ds k; dk = ds^T q; dv = p^T dOutput, the last two summed over the query heads that
 * share a key/value head (Dao et al. 2022, https://arxiv.org/abs/2205.14135, algorithms 1 and 4). Workgroups that own what they
 * sum need no atomics, so sums have a fixed order.
 */
import type { AttentionGradKernel, AttentionKernel } from '@transfusion/tensor';
import type { Dispatch, LoweringContext } from '../../lowering.js';
import { attentionPlan } from './candidates.js';
import { forwardByMatrices } from './forward-by-matrices.js';
import { forwardByTiles } from './forward-by-tiles.js';
import { keyValueGradByMatrices, queryGradByMatrices } from './gradient-by-matrices.js';
import { keyValueGradByTiles, queryGradByTiles } from './gradient-by-tiles.js';
import { type AttentionContext, type AttentionPlan, isMatrixPlan } from './plan.js';
import { factsScratch, lowerFacts } from './query-facts.js';

export function lowerAttention(
  kernel: AttentionKernel,
  context: AttentionContext,
  plan: AttentionPlan = attentionPlan({ part: 'forward', kernel }, context),
): Dispatch[] {
  return [isMatrixPlan(plan) ? forwardByMatrices(kernel, context, plan) : forwardByTiles(kernel, context, plan)];
}

/** Three dispatches: what a query row needs to know, packed; dq; dk and dv. */
export function lowerAttentionGrad(kernel: AttentionGradKernel, context: AttentionContext): Dispatch[] {
  const parts = (['dq', 'dk dv'] as const).map((part) => ({ part, kernel }));
  const plans = parts.map((part) => attentionPlan(part, context));
  const facts = factsScratch(kernel, context);
  return [lowerFacts(kernel, context, facts), ...parts.map((part, i) => lowerPart(part, context, plans[i], facts))];
}

/** Only dq, or only dk and dv. */
export function lowerPartialGrad(part: GradPart, context: LoweringContext, plan: AttentionPlan): Dispatch[] {
  const facts = factsScratch(part.kernel, context);
  return [lowerFacts(part.kernel, context, facts), lowerPart(part, context, plan, facts)];
}

interface GradPart {
  part: 'dq' | 'dk dv';
  kernel: AttentionGradKernel;
}

function lowerPart({ part, kernel }: GradPart, context: LoweringContext, plan: AttentionPlan, facts: number): Dispatch {
  if (isMatrixPlan(plan)) {
    const lower = part === 'dq' ? queryGradByMatrices : keyValueGradByMatrices;
    return lower(kernel, context, plan, facts);
  }
  const lower = part === 'dq' ? queryGradByTiles : keyValueGradByTiles;
  return lower(kernel, context, plan, facts);
}
