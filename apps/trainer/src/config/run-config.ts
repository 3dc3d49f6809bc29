/** @file The configuration of a training run: one file, every field documented and defaulted. */
import { diffusionConfigSchema, samplingDefaultsSchema } from '@transfusion/sampler';
import { modelFields, modelPresets } from '@transfusion/transformer';
import { z } from 'zod';
import { runLearningRateSchema } from './learning-rate.js';
import { datasets, emaSchema, imageDataFields, nameSchema, optimizerFields, seedSchema } from './shared-fields.js';

const presetNames = Object.keys(modelPresets) as [keyof typeof modelPresets];

/** Model sizes: a preset, and fields that override it. Vocabulary and patch size follow from tokenizer and images. */
const modelSchema = z
  .strictObject({
    preset: z.enum(presetNames).default('nano').describe('sizes to start from'),
    ...z.object(modelFields).omit({ vocabularySize: true, patchValues: true }).partial().shape,
    // Bounded because tracing, which even a dry run does, holds every layer in memory.
    layers: modelFields.layers.max(1024).optional().describe('transformer blocks'),
  })
  .prefault({});

const dataSchema = z
  .strictObject({
    ...imageDataFields,
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
    longCaptions: z
      .enum(['cut', 'skip'])
      .default('cut')
      .describe(
        'captions far longer than nearly all others, or than batch.sequenceLength allows: cut them, or leave their pictures out',
      ),
    texts: z
      .string()
      .nullable()
      .default(null)
      .describe('plain texts to learn beside the pictures: a folder of .txt files, or a file of JSON lines with text'),
    textShare: z
      .number()
      .gt(0)
      .lt(1)
      .default(0.5)
      .describe('with data.texts: share of the rows of a batch that are plain text (paper: half of the tokens)'),
    flip: z.boolean().default(false).describe('mirror half of the images, drawn anew at every step'),
    imageFirstProbability: z.number().min(0).max(1).default(0.2).describe('share of documents with the image first'),
    imageFirstCap: z.int().min(1).default(500).describe('noise limit of image-first documents, in timesteps'),
    captionDropout: z.number().min(0).max(1).default(0.1).describe('share of captions dropped, for guidance'),
    latents: z
      .string()
      .nullable()
      .default(null)
      .describe('a folder of latents that `trainer encode` wrote; null: encode when the run starts'),
  })
  .prefault({});

const batchSchema = z
  .strictObject({
    rows: z.int().min(1).default(16).describe('sequences per batch'),
    imagesPerRow: z.int().min(1).default(1).describe('documents packed into a sequence'),
    sequenceLength: z
      .int()
      .min(8)
      .max(1_048_576)
      .nullable()
      .default(null)
      .describe('positions of a sequence; null: as many as needed'),
    accumulation: z.int().min(1).default(1).describe('batches per optimizer step'),
  })
  .prefault({});

const optimizerSchema = z.strictObject(optimizerFields).prefault({});

const tokenizerSchema = z
  .strictObject({
    vocabularySize: z.int().min(261).max(30_000).default(1024).describe('at most so many token ids'),
    file: z.string().nullable().default(null).describe('a tokenizer.json to use instead of training one'),
  })
  .prefault({});

const diffusionSchema = z
  .strictObject({
    ...diffusionConfigSchema.shape,
    clampSample: z
      .number()
      .positive()
      .nullable()
      .optional()
      .describe('ddim and ddpm clamp the estimate of the clean latents; default: 1.5 for pixels, 4 for latents'),
  })
  .prefault({});

const sampleSchema = z
  .strictObject({
    every: z.int().min(0).default(500).describe('steps between sample grids; 0: none'),
    images: z.int().min(1).max(64).default(8).describe('pictures of a grid'),
  })
  .prefault({});

export const runConfigSchema = z.strictObject({
  name: nameSchema.default('run'),
  seed: seedSchema,
  steps: z.int().min(1).default(10_000).describe('optimizer steps'),
  model: modelSchema,
  data: dataSchema,
  codec: z
    .string()
    .nullable()
    .default(null)
    .describe(
      'the autoencoder whose latents are diffused: a model of this repository, such as emoji-64-kl, or a folder; null: pixels',
    ),
  patchSize: z.int().min(1).default(4).describe('side of a patch, in pixels of the latent image'),
  tokenizer: tokenizerSchema,
  batch: batchSchema,
  precision: z
    .enum(['f32', 'f16'])
    .default('f32')
    .describe('of products and activations; f16 needs a WebGPU adapter with shader-f16, and scales the loss'),
  checkpointActivations: z
    .boolean()
    .default(false)
    .describe('compute every block again in the backward pass: far less memory, about a third more time'),
  lambda: z.number().min(0).default(5).describe('weight of the diffusion loss (paper: 5)'),
  diffusion: diffusionSchema,
  optimizer: optimizerSchema,
  learningRate: runLearningRateSchema({ learningRate: 3e-4, finalLearningRate: 1.5e-5 }),
  ema: emaSchema,
  sampling: samplingDefaultsSchema.prefault({}),
  sample: sampleSchema,
  checkpointEvery: z.int().min(1).default(500).describe('steps between checkpoints'),
  logEvery: z.int().min(1).default(10).describe('steps between lines of metrics.jsonl'),
});

export type RunConfig = z.output<typeof runConfigSchema>;
export type RunConfigInput = z.input<typeof runConfigSchema>;
