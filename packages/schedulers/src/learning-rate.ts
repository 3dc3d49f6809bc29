/** @file Learning rate as a function of the optimizer step, warm-up included. */
import { z } from 'zod';
import { parseConfig } from './config.js';

const learningRate = z.number().min(0).default(3e-4).describe('Rate after warm-up.');
const warmupSteps = z.number().int().min(0).describe('Steps over which the rate rises from 0 in a straight line.');
const decay = {
  learningRate,
  finalLearningRate: z.number().min(0).default(1.5e-5).describe('Rate at totalSteps and after.'),
  warmupSteps: warmupSteps.default(4000),
  totalSteps: z.number().int().min(1).default(250_000).describe('Step at which the decay ends, warm-up included.'),
};

const WARMUP_TOO_LONG = { path: ['warmupSteps'], message: 'warmupSteps must not exceed totalSteps' };
const warmupFits = (config: { warmupSteps: number; totalSteps: number }) => config.warmupSteps <= config.totalSteps;

export const learningRateSchema = z.discriminatedUnion('type', [
  z
    .strictObject({ type: z.literal('cosine'), ...decay })
    .refine(warmupFits, WARMUP_TOO_LONG)
    .describe('Half a cosine from learningRate to finalLearningRate.'),
  z
    .strictObject({ type: z.literal('linear'), ...decay })
    .refine(warmupFits, WARMUP_TOO_LONG)
    .describe('A straight line between the two.'),
  z
    .strictObject({
      type: z.literal('warmup-stable-decay'),
      ...decay,
      decaySteps: z
        .number()
        .int()
        .min(0)
        .default(50_000)
        .describe('Steps before totalSteps over which the rate falls.'),
    })
    .refine(({ warmupSteps, decaySteps, totalSteps }) => warmupSteps + decaySteps <= totalSteps, {
      path: ['decaySteps'],
      message: 'warmupSteps and decaySteps must not exceed totalSteps together',
    })
    .describe('learningRate, then down to finalLearningRate as 1 - sqrt: totalSteps may move until the decay starts.'),
  z
    .strictObject({ type: z.literal('constant'), learningRate, warmupSteps: warmupSteps.default(0) })
    .describe('learningRate after warm-up.'),
]);

export type LearningRateOptions = z.input<typeof learningRateSchema>;
export type LearningRateConfig = z.output<typeof learningRateSchema>;

/**
 * The rate to use at an optimizer step; step 0 of a warm-up has rate 0, so count the first update as step 1. The
 * defaults are the paper's: 3e-4 after 4,000 steps, cosine to 1.5e-5 at 250,000.
 *
 * @throws TransfusionError `SCHEDULER_CONFIG_INVALID`
 */
export function createLearningRate(options: LearningRateOptions = { type: 'cosine' }): (step: number) => number {
  const config = parseConfig('learning rate', learningRateSchema, options);
  return (step) => {
    if (step < config.warmupSteps) return (config.learningRate * step) / config.warmupSteps;
    return config.type === 'constant' ? config.learningRate : decayed(config, step);
  };
}

function decayed(config: Exclude<LearningRateConfig, { type: 'constant' }>, step: number): number {
  const { learningRate: peak, finalLearningRate: final, totalSteps: end } = config;
  if (step >= end) return final;
  return final + (peak - final) * remaining(config, step);
}

/** How much of the way down is left, from 1 to 0. The square root is that of Haegele et al. 2024 (arXiv 2405.18392, section 4). */
function remaining(config: Exclude<LearningRateConfig, { type: 'constant' }>, step: number): number {
  const { warmupSteps, totalSteps } = config;
  const start = config.type === 'warmup-stable-decay' ? totalSteps - config.decaySteps : warmupSteps;
  const progress = Math.max(0, (step - start) / (totalSteps - start));
  switch (config.type) {
    case 'cosine':
      return 0.5 * (1 + Math.cos(Math.PI * progress));
    case 'linear':
      return 1 - progress;
    case 'warmup-stable-decay':
      return 1 - Math.sqrt(progress);
  }
}
