/** @file The configuration of `trainer evaluator`: that of the training, and which pictures, and how often it reports. */
import { evaluatorDataFields, evaluatorFields } from '@transfusion/evaluation';
import { z } from 'zod';
import { checkShards, imageDataFields, nameSchema, reportFields } from './shared-fields.js';

const dataSchema = z
  .strictObject({
    ...evaluatorDataFields,
    ...imageDataFields,
    heldOutFraction: evaluatorDataFields.heldOutFraction,
    dataset: imageDataFields.dataset.default('emoji-styles'),
    imageSize: imageDataFields.imageSize.default(64),
  })
  .superRefine(checkShards)
  .prefault({});

export const evaluatorRunConfigSchema = z.strictObject({
  name: nameSchema.default('evaluator'),
  ...evaluatorFields,
  data: dataSchema,
  sample: z
    .strictObject({
      every: z.int().min(0).default(250).describe('steps between held-out scores; 0: only in the end'),
      scored: z.int().min(1).default(1000).describe('held-out pictures that are scored on the way'),
    })
    .prefault({}),
  ...reportFields,
});

export type EvaluatorRunConfig = z.output<typeof evaluatorRunConfigSchema>;
export type EvaluatorRunConfigInput = z.input<typeof evaluatorRunConfigSchema>;
