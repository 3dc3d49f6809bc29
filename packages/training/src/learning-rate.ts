/** @file The learning rate of a run: what its configuration leaves open follows from the run's length. */
import { createLearningRate } from '@transfusion/schedulers';
import { z } from 'zod';

/** The paper's warm-up, as a share of its steps (section 4.1: 4,000 of 250,000). */
const WARMUP_SHARE = 4000 / 250_000;
const LONGEST_DEFAULT_WARMUP = 4000;
/** Haegele et al. 2024 (arXiv 2405.18392): a fifth is enough. */
const DECAY_SHARE = 0.2;
/** A run that warms up for a larger share of its steps is told so. */
const NOTABLE_WARMUP_SHARE = 0.2;

/** @param defaults of the rate after warm-up, and of the rate at the end */
export function runLearningRateSchema(defaults: { learningRate: number; finalLearningRate: number }) {
  const steps = z.int().min(0).nullable().default(null);
  return z
    .strictObject({
      type: z
        .enum(['cosine', 'linear', 'warmup-stable-decay', 'constant'])
        .default('cosine')
        .describe(
          'how the rate falls after warm-up: half a cosine, a straight line, only in the last decaySteps (so that a run may be made longer until then), or not at all',
        ),
      learningRate: z.number().min(0).default(defaults.learningRate).describe('rate after warm-up'),
      finalLearningRate: z
        .number()
        .min(0)
        .default(defaults.finalLearningRate)
        .describe('rate at totalSteps and after, at most learningRate; not of constant'),
      warmupSteps: steps.describe(
        'steps over which the rate rises from 0 in a straight line; null: 1.6 % of totalSteps, at most 4,000, as in the paper; of constant 0',
      ),
      totalSteps: steps.describe('step at which the decay ends, warm-up included; null: steps'),
      decaySteps: steps.describe('of warmup-stable-decay: steps over which the rate falls; null: 20 % of totalSteps'),
    })
    .prefault({});
}

export type RunLearningRate = z.output<ReturnType<typeof runLearningRateSchema>>;

/** What any run's configuration has. */
export interface RunLength {
  steps: number;
  learningRate: RunLearningRate;
}

/** With numbers for what was left open. */
export function fittedLearningRate({ steps, learningRate }: RunLength): RunLearningRate {
  const { type, warmupSteps } = learningRate;
  const total = learningRate.totalSteps ?? Math.max(steps, warmupSteps ?? 0);
  const share = type === 'constant' ? 0 : WARMUP_SHARE;
  const warmup = warmupSteps ?? Math.min(LONGEST_DEFAULT_WARMUP, Math.round(share * total));
  const decaySteps = learningRate.decaySteps ?? Math.min(Math.round(DECAY_SHARE * total), total - warmup);
  return { ...learningRate, warmupSteps: warmup, totalSteps: total, decaySteps };
}

/** The rate at a step, counted from 1. @throws TransfusionError SCHEDULER_CONFIG_INVALID: the warm-up is longer than totalSteps */
export function runLearningRate(run: RunLength): (step: number) => number {
  const { type, learningRate, finalLearningRate: end, ...fitted } = fittedLearningRate(run);
  // It never rises after warm-up, also where only the first was lowered.
  const finalLearningRate = Math.min(end, learningRate);
  const [warmupSteps, totalSteps, decaySteps] = [fitted.warmupSteps!, fitted.totalSteps!, fitted.decaySteps!];
  if (type === 'constant') return createLearningRate({ type, learningRate, warmupSteps });
  const falling = { learningRate, finalLearningRate, warmupSteps, totalSteps };
  return createLearningRate(type === 'warmup-stable-decay' ? { type, ...falling, decaySteps } : { type, ...falling });
}

/** What a person may not have meant, in sentences. */
export function learningRateAdvice(run: RunLength): string[] {
  const { type, warmupSteps, totalSteps, learningRate, finalLearningRate } = fittedLearningRate(run);
  const { steps } = run;
  const rate = runLearningRate(run)(steps).toPrecision(2);
  const advice: string[] = [];
  if (warmupSteps! > NOTABLE_WARMUP_SHARE * steps) {
    const end = warmupSteps! > steps ? `, and the rate ends at ${rate} instead of ${learningRate}` : '';
    const better = Math.round(WARMUP_SHARE * steps);
    advice.push(
      `the rate warms up for ${warmupSteps} of ${steps} steps${end}; --set learningRate.warmupSteps=${better} would be usual`,
    );
  }
  if (type !== 'constant' && totalSteps! > steps && warmupSteps! <= steps) {
    advice.push(
      `the rate would fall until step ${totalSteps}, and the run ends at ${steps}, at a rate of ${rate}; --set learningRate.totalSteps=${steps} lets it fall to the end`,
    );
  }
  if (type !== 'constant' && finalLearningRate > learningRate) {
    advice.push(
      `learningRate.finalLearningRate is ${finalLearningRate}, above learningRate.learningRate: the rate stays at ${learningRate} after warm-up`,
    );
  }
  return advice;
}
