/** @file `evaluation.json`: scores of a model, as commands write them and the model card shows them. */
import { z } from 'zod';

const valueSchema = z.number();

export const scoreSchema = z.strictObject({
  name: z.string().min(1).describe('of the measure, such as "captions exactly right"'),
  task: z
    .enum(['text-to-image', 'image-to-text', 'image-to-image', 'text-generation', 'unconditional-image-generation'])
    .default('text-to-image')
    .describe("as Hugging Face calls it: a card's model-index has one of its tasks"),
  dataset: z.string().min(1).describe('for people, such as "emoji in four styles"'),
  split: z.string().min(1).default('held out').describe('which part of it'),
  value: valueSchema,
  unit: z.string().optional().describe('such as "%" or "dB"; none for a share or a plain number'),
  better: z.enum(['higher', 'lower']).optional(),
  count: z.int().min(1).optional().describe('examples that were scored'),
  beside: z
    .array(z.strictObject({ name: z.string().min(1), value: valueSchema }))
    .default([])
    .describe('the same measure of something else: chance, the training pictures, another model'),
});

/** Other fields, such as seed and options of sampling, are for whoever wrote the file. */
export const evaluationSchema = z.looseObject({ results: z.array(scoreSchema).min(1) });

export type Score = z.output<typeof scoreSchema>;
export type ScoreInput = z.input<typeof scoreSchema>;
