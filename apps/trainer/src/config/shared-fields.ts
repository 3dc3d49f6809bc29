/** @file Fields that the configurations of all kinds of runs have. */
import { z } from 'zod';

export const nameSchema = z
  .string()
  .regex(/^(?!\.{1,2}$)[\w.-]+$/, 'expected letters, digits, "_", "-" and ".", and not "." or ".."')
  .describe('of the run; its folder is runs/NAME');

export const seedSchema = z
  .int()
  .min(0)
  .max(Number.MAX_SAFE_INTEGER)
  .default(0)
  .describe('of weights, data order and noise');

export const datasets = ['emoji', 'emoji-styles', 'fashion-mnist', 'folder'] as const;

/** Which pictures, and which of them are held out. */
export const imageDataFields = {
  dataset: z
    .enum(datasets)
    .default('emoji')
    .describe(
      "emoji: Twitter's, with their names in English; emoji-styles: those of Twitter, Google, OpenMoji and Fluent 3D, with style words; fashion-mnist; folder: your own pictures with captions",
    ),
  folder: z
    .string()
    .nullable()
    .default(null)
    .describe(
      'of fashion-mnist (its IDX files) or folder (pictures, captions beside them as .txt, in captions.jsonl or as Hugging Face has them)',
    ),
  imageSize: z.int().min(4).max(512).default(24).describe('side of the square images, in pixels'),
  demoSet: z.int().min(1).max(64).nullable().default(null).describe('of emoji: this many well-known ones only'),
  count: z.int().min(1).nullable().default(null).describe('use the first so many; null: all'),
  heldOutFraction: z
    .number()
    .min(0)
    .max(0.9)
    .default(0.02)
    .describe('share of the examples kept for evaluation, the same ones for every seed'),
  heldOutBy: z
    .enum(['name', 'list'])
    .nullable()
    .default(null)
    .describe(
      'what decides which are held out: name: that of each, so that an added picture moves no more than one other; list: all of them together; null: name for a folder, list for datasets that never change',
    ),
  allowBroken: z.number().min(0).max(1).default(0.01).describe('a larger share of unreadable files stops the run'),
};

export const optimizerFields = {
  beta1: z.number().min(0).lt(1).default(0.9),
  beta2: z.number().min(0).lt(1).default(0.95),
  epsilon: z.number().positive().default(1e-8),
  weightDecay: z.number().min(0).default(0.1),
  maxGradientNorm: z.number().positive().default(1).describe('global norm to which gradients are clipped'),
};

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

export type EmaConfig = z.output<typeof emaSchema>;

/** The decay of the moving average at a step (from 1): shorter at the start, where early weights mean little. */
export function emaDecayAt({ decay, warmup }: EmaConfig, step: number): number {
  return warmup ? Math.min(decay, (1 + step) / (10 + step)) : decay;
}
