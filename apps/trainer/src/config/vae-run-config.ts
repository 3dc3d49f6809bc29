/** @file The configuration of `trainer vae`: that of the training, and which pictures, and how often it reports. */
import { autoencoderDataFields, autoencoderFields, autoencoderLossFields } from '@transfusion/training';
import { z } from 'zod';
import { checkCells, checkShards, imageDataFields, nameSchema, reportFields, sampleFields } from './shared-fields.js';

const dataSchema = z
  .strictObject({
    ...imageDataFields,
    ...autoencoderDataFields,
    dataset: imageDataFields.dataset.default('emoji-styles'),
    imageSize: imageDataFields.imageSize.default(64),
  })
  .superRefine(checkCells)
  .superRefine(checkShards)
  .prefault({});

export const vaeRunConfigSchema = z.strictObject({
  name: nameSchema.default('vae'),
  ...autoencoderFields,
  initialWeights: z
    .string()
    .nullable()
    .default(null)
    .describe(
      'an autoencoder whose weights to start from, where names and shapes agree: a folder or a model of this repository',
    ),
  data: dataSchema,
  loss: z
    .strictObject({
      ...autoencoderLossFields,
      lpipsWeights: z
        .string()
        .nullable()
        .default(null)
        .describe('a file of LPIPS weights (packages/losses/scripts/convert_lpips.py); null: the term is off'),
    })
    .prefault({}),
  sample: z
    .strictObject({
      ...sampleFields({ images: 16 }),
      scored: z.int().min(1).default(256).describe('held-out pictures that are scored on the way'),
    })
    .prefault({}),
  ...reportFields,
});

export type VaeRunConfig = z.output<typeof vaeRunConfigSchema>;
export type VaeRunConfigInput = z.input<typeof vaeRunConfigSchema>;
