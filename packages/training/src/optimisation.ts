/** @file How any model is optimised: the fields of a configuration, and what a step needs of them. */
import type { Precision } from '@transfusion/tensor';
import { z } from 'zod';
import type { StepOptions } from './compile-step.js';
import type { RunLength } from './learning-rate.js';

export const seedSchema = z
  .int()
  .min(0)
  .max(Number.MAX_SAFE_INTEGER)
  .default(0)
  .describe('of weights, data order and noise');

export const optimizerFields = {
  beta1: z.number().min(0).lt(1).default(0.9),
  beta2: z.number().min(0).lt(1).default(0.95),
  epsilon: z.number().positive().default(1e-8),
  weightDecay: z.number().min(0).default(0.1),
  maxGradientNorm: z.number().positive().default(1).describe('global norm to which gradients are clipped'),
};

const optimizerSchema = z.strictObject(optimizerFields);

export const emaSchema = z
  .strictObject({
    decay: z
      .number()
      .min(0)
      .lt(1)
      .default(0.999)
      .describe('of the moving average of the weights that is used in the end'),
    warmup: z.boolean().default(true).describe('start with a shorter average: at most (1 + step) / (10 + step)'),
  })
  .prefault({});

export const dilocoSchema = z
  .strictObject({
    innerSteps: z.int().min(1).default(100).describe('steps that a rank takes by itself before ranks meet'),
    learningRate: z.number().positive().default(0.7).describe('of the outer step'),
    momentum: z.number().min(0).lt(1).default(0.9).describe("of the outer step, Nesterov's"),
  })
  .nullable()
  .default(null)
  .describe(
    'ranks meet now and then instead of at every step (DiLoCo), for slow links; the result then depends on their number; null: at every step',
  );

export const exchangeSchema = z
  .enum(['f32', 'f16'])
  .default('f32')
  .describe(
    'what gradients are on their way between ranks; f16 halves the bytes, keeps 11 bits of each, and the result then depends on the number of ranks',
  );

export type DilocoConfig = NonNullable<z.output<typeof dilocoSchema>>;

export type EmaConfig = z.output<typeof emaSchema>;

/** What the compiled step is made of, apart from its objective. */
export interface Optimisation extends RunLength {
  optimizer: z.output<typeof optimizerSchema>;
  ema: EmaConfig;
  /** Micro-batches of a step; default 1. */
  accumulation?: number;
  /** Default 'f32'. */
  precision?: Precision;
  /** What gradients are on their way between ranks; default 'f32'. */
  exchange?: z.output<typeof exchangeSchema>;
  /** How ranks meet; default: at every step. */
  diloco?: DilocoConfig | null;
}

export function stepOptionsOf({ optimizer, accumulation = 1, precision }: Optimisation): StepOptions {
  const { maxGradientNorm, ...adamw } = optimizer;
  return { optimizer: adamw, maxGradientNorm, accumulation, precision };
}

/** The decay of the moving average at a step (from 1): shorter at the start, where early weights mean little. */
export function emaDecayAt({ decay, warmup }: EmaConfig, step: number): number {
  return warmup ? Math.min(decay, (1 + step) / (10 + step)) : decay;
}
