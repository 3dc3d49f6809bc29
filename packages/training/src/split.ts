/** @file Which of the examples are held out: fields of a configuration. */
import { z } from 'zod';

export const heldOutFields = {
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
      'what decides which are held out: name: that of each, so that an added picture moves no more than one other; list: all of them together; null: name for a folder and data.documents, list for datasets that never change',
    ),
};
