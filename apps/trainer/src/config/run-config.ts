/** @file The configuration of `trainer train`: that of the training, and which data, and how often it reports. */
import { tokenizerFields, transfusionDataFields, transfusionFields } from '@transfusion/training';
import { z } from 'zod';
import { datasets, imageDataFields, nameSchema, reportFields, sampleFields } from './shared-fields.js';

const dataSchema = z
  .strictObject({
    ...imageDataFields,
    ...transfusionDataFields,
    dataset: z
      .enum([...datasets, 'none'])
      .default('emoji')
      .describe(`${imageDataFields.dataset.description}; none: no pictures, data.texts alone`),
    captions: z
      .enum(['required', 'optional', 'none'])
      .default('required')
      .describe(
        'required: a picture of a folder without caption cannot be used; optional: its drawing is learned without one; none: all pictures are learned without caption',
      ),
    texts: z
      .string()
      .nullable()
      .default(null)
      .describe('plain texts to learn beside the pictures: a folder of .txt files, or a file of JSON lines with text'),
    latents: z
      .string()
      .nullable()
      .default(null)
      .describe('a folder of latents that `trainer encode` wrote; null: encode when the run starts'),
  })
  .prefault({});

const tokenizerSchema = z
  .strictObject({
    ...tokenizerFields,
    file: z.string().nullable().default(null).describe('a tokenizer.json to use instead of training one'),
  })
  .prefault({});

export const runConfigSchema = z.strictObject({
  name: nameSchema.default('run'),
  ...transfusionFields,
  data: dataSchema,
  codec: z
    .string()
    .nullable()
    .default(null)
    .describe(
      'the autoencoder whose latents are diffused: a model of this repository, such as emoji-64-kl, or a folder; null: pixels',
    ),
  tokenizer: tokenizerSchema,
  sample: z.strictObject(sampleFields({ images: 8 })).prefault({}),
  ...reportFields,
});

export type RunConfig = z.output<typeof runConfigSchema>;
export type RunConfigInput = z.input<typeof runConfigSchema>;
