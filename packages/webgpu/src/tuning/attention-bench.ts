/** @file A part of attention in a program that is to be loaded, as something to run in different ways. */
import type { AttentionShape, Program } from '@transfusion/tensor';
import { lowerAttention, lowerPartialGrad } from '../kernels/attention/attention.js';
import { type AttentionPart, type AttentionPlan, planName } from '../kernels/attention/plan.js';
import type { Benched, Way } from './kernel-bench.js';

/** Queries see all keys before them, as in text; a query in an image sees a few more. */
export function benchedAttention(part: AttentionPart, program: Pick<Program, 'buffers'>): Benched {
  const { kernel } = part;
  const { q, k, v, begin, end } = kernel;
  const intervals = [{ buffer: begin }, { buffer: end, counting: causalEnds(kernel) }];
  const operands = [q, k, v].map((buffer) => ({ buffer }));
  const terms = {
    query: kernel.keys + kernel.headDim,
    key: kernel.queries * (kernel.heads / kernel.kvHeads) + kernel.headDim,
  };
  if (part.part === 'forward') {
    const outputs = [part.kernel.output, part.kernel.lse].map((buffer) => ({ buffer, terms: terms.query }));
    return { program, inputs: [...operands, ...intervals], outputs, toleratedPart: 0 };
  }
  const { lse, delta, dOutput, dq, dk, dv } = part.kernel;
  const inputs = [...operands, ...intervals, ...[lse, delta, dOutput].map((buffer) => ({ buffer }))];
  const outputs =
    part.part === 'dq'
      ? [{ buffer: dq, terms: terms.query }]
      : [dk, dv].map((buffer) => ({ buffer, terms: terms.key }));
  return { program, inputs, outputs, toleratedPart: 0 };
}

function causalEnds({ queries, keys }: AttentionShape): { first: number; period: number } {
  return { first: Math.max(0, keys - queries) + 1, period: queries };
}

export function attentionWay(part: AttentionPart, plan: AttentionPlan): Way {
  return {
    name: planName(plan),
    lower: (context) =>
      part.part === 'forward' ? lowerAttention(part.kernel, context, plan) : lowerPartialGrad(part, context, plan),
  };
}
