/** @file A plan without its beginning: from a noised image instead of from noise (SDEdit, arXiv 2108.01073). */
import { TransfusionError } from '@transfusion/core';
import { z } from 'zod';
import type { Evaluation, SamplingPlan } from './plan.js';

export const strengthSchema = z.number().gt(0).max(1);

/**
 * The last steps of a plan, `strength` of them as in diffusers: `floor(steps * strength)`, at least one. It begins with a
 * clean image noised to `evaluations[0].from`. Steps are counted from 0 again.
 *
 * A multistep sampler has no estimate to remember in its new first step: that is the first-order step.
 *
 * @param strength above 0, at most 1, which leaves the plan as it is
 * @throws TransfusionError `SCHEDULER_STRENGTH_RANGE`
 */
export function cutPlan(plan: SamplingPlan, strength: number): SamplingPlan {
  if (!strengthSchema.safeParse(strength).success) {
    throw new TransfusionError({
      code: 'SCHEDULER_STRENGTH_RANGE',
      message: `strength is ${strength}, the share of the steps that are done`,
      fix: 'use a number above 0, at most 1',
    });
  }
  // 50 * 0.58 is a little less than 29.
  const steps = Math.max(1, Math.floor(plan.steps * strength + 1e-9));
  const dropped = plan.steps - steps;
  if (dropped === 0) return plan;
  const [first, ...rest] = plan.evaluations
    .filter(({ step }) => step >= dropped)
    .map((evaluation) => ({ ...evaluation, step: evaluation.step - dropped }));
  return { steps, evaluations: [forgetful(first), ...rest] };
}

/** As if the estimate before had been the present one. */
function forgetful(evaluation: Evaluation): Evaluation {
  const { next } = evaluation;
  return { ...evaluation, next: { ...next, x0: next.x0 + next.earlierX0, earlierX0: 0 } };
}
