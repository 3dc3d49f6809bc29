/** @file The configuration of the model's training: every field documented and defaulted. */
import { parseConfig } from '@transfusion/core';
import { diffusionConfigSchema, samplingDefaultsSchema } from '@transfusion/sampler';
import { lossWeightFields, timestepDistributionSchema, weightingProblems } from '@transfusion/schedulers';
import { modelFields, modelPresets, unpatchedProblems } from '@transfusion/transformer';
import { z } from 'zod';
import { runLearningRateSchema } from '../learning-rate.js';
import { dilocoSchema, emaSchema, exchangeSchema, optimizerFields, seedSchema } from '../optimisation.js';
import { heldOutFields } from '../split.js';

const presetNames = Object.keys(modelPresets) as [keyof typeof modelPresets];

/** Model sizes: a preset, and fields that override it. Vocabulary and patch size follow from tokenizer, codec and images. */
const modelSchema = z
  .strictObject({
    preset: z.enum(presetNames).default('nano').describe('sizes to start from'),
    ...z.object(modelFields).omit({ vocabularySize: true, patchSize: true, patchValues: true }).partial().shape,
    // Bounded because tracing, which even a dry run does, holds every layer in memory.
    layers: modelFields.layers.max(1024).optional().describe('transformer blocks'),
  })
  .prefault({});

/** How documents are made of pictures and texts, and which are held out. */
export const transfusionDataFields = {
  ...heldOutFields,
  longCaptions: z
    .enum(['cut', 'skip'])
    .default('cut')
    .describe(
      'captions far longer than nearly all others, or than batch.sequenceLength allows: cut them, or leave their pictures out',
    ),
  textShare: z
    .number()
    .gt(0)
    .lt(1)
    .default(0.5)
    .describe('with texts: share of the rows of a batch that are plain text (paper: half of the tokens)'),
  documentShare: z
    .number()
    .gt(0)
    .lt(1)
    .nullable()
    .default(null)
    .describe(
      'with pictures and documents: share of the rows with images that are of documents, batch.documentsPerRow each; null: both together, in proportion to their numbers',
    ),
  flip: z.boolean().default(false).describe('mirror half of the images, drawn anew at every step'),
  announceSizes: z
    .boolean()
    .default(false)
    .describe('a token before each image tells its size, so that the model learns to choose sizes (not in the paper)'),
  otherCaptions: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe(
      'share of the documents with the caption first that have one of the other captions of their picture, where it has some',
    ),
  imageFirstProbability: z.number().min(0).max(1).default(0.2).describe('share of documents with the image first'),
  imageFirstCap: z.int().min(1).default(500).describe('noise limit of image-first documents, in timesteps'),
  views: z
    .int()
    .min(0)
    .max(16)
    .default(0)
    .describe(
      'other views of each picture that is read, before its caption or by an edit: a little moved, turned, scaled, in slightly other colours; what is drawn stays as it is, and a picture of a document whose result has to keep its place and colours says isExact',
    ),
  imageContext: z
    .enum(['noised', 'clean'])
    .default('noised')
    .describe(
      'what stands after an image to denoise sees of it: the noised image (paper), or a clean copy; that takes the positions of the image twice, and where a document has several, of what is before each but the last',
    ),
  captionDropout: z.number().min(0).max(1).default(0.1).describe('share of captions dropped, for guidance'),
  documentDropout: z
    .number()
    .min(0)
    .max(1)
    .nullable()
    .default(null)
    .describe(
      'share of documents that lose the texts before their last image to draw, for guidance; null: as data.captionDropout',
    ),
};

const batchSchema = z
  .strictObject({
    rows: z.int().min(1).default(16).describe('sequences per batch'),
    imagesPerRow: z
      .int()
      .min(1)
      .nullable()
      .default(1)
      .describe(
        'documents packed into a sequence; null: as many as find room in sequenceLength, which must then be set',
      ),
    documentsPerRow: z
      .int()
      .min(1)
      .nullable()
      .default(null)
      .describe('with data.documentShare: documents packed into a sequence of documents; null: as imagesPerRow'),
    sequenceLength: z
      .int()
      .min(8)
      .max(1_048_576)
      .nullable()
      .default(null)
      .describe('positions of a sequence, at least imagesPerRow times the longest document; null: as many as needed'),
    accumulation: z.int().min(1).default(1).describe('micro-batches of an optimizer step, which ranks share evenly'),
  })
  .prefault({});

export const tokenizerFields = {
  vocabularySize: z.int().min(261).max(30_000).default(1024).describe('at most so many token ids'),
};

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

/** How the diffusion loss is trained: no sampler needs to know. */
const objectiveSchema = z
  .strictObject({ ...lossWeightFields, timesteps: timestepDistributionSchema.prefault({}).describe('which are drawn') })
  .prefault({});

const loraSchema = z
  .strictObject({
    rank: z.int().min(1).default(8).describe("rows of A and columns of B; at most a layer's shorter side"),
    alpha: z.number().positive().default(8).describe('the product B A is multiplied with alpha / rank'),
    targets: z
      .union([z.literal('all-linear'), z.array(z.string().min(1)).min(1)], {
        error: 'expected all-linear, or a list such as ["query","value"]',
      })
      .default(['attention.query', 'attention.key', 'attention.value', 'attention.output'])
      .describe(
        "the layers that are adapted: paths, or ends of paths (query is that of every block; * is anything); all-linear: every linear layer but languageHead, as PEFT's",
      ),
  })
  .nullable()
  .default(null)
  .describe(
    'train low-rank adapters (LoRA, arXiv 2106.09685) beside the weights of the model that the run starts from; null: train all weights',
  );

/** What training asks for, whatever the datasets and the terminal are. */
export const transfusionFields = {
  seed: seedSchema,
  steps: z.int().min(1).default(10_000).describe('optimizer steps'),
  model: modelSchema,
  data: z.strictObject(transfusionDataFields).prefault({}),
  patchSize: z.int().min(1).default(4).describe('side of a patch, in pixels of the latent image'),
  tokenizer: z.strictObject(tokenizerFields).prefault({}),
  batch: batchSchema,
  precision: z
    .enum(['f32', 'f16'])
    .default('f32')
    .describe('of products and activations; f16 needs a WebGPU adapter with shader-f16, and scales the loss'),
  checkpointActivations: z
    .boolean()
    .default(false)
    .describe('compute every block again in the backward pass: far less memory, about a third more time'),
  lora: loraSchema,
  lambda: z.number().min(0).default(5).describe('weight of the diffusion loss (paper: 5)'),
  zLoss: z
    .number()
    .min(0)
    .default(0)
    .describe('weight of log^2 Z, which keeps logits from drifting (Chameleon: 1e-5; the paper: none)'),
  diffusion: diffusionSchema,
  objective: objectiveSchema,
  optimizer: z.strictObject(optimizerFields).prefault({}),
  learningRate: runLearningRateSchema({ learningRate: 3e-4, finalLearningRate: 1.5e-5 }),
  ema: emaSchema,
  exchange: exchangeSchema,
  diloco: dilocoSchema,
  sampling: samplingDefaultsSchema.prefault({}),
};

interface CheckedFields extends Pick<TransfusionTrainingConfig, 'model' | 'diffusion' | 'objective'> {
  data: Pick<TransfusionTrainingConfig['data'], 'imageContext' | 'documentShare'>;
  batch: Pick<TransfusionTrainingConfig['batch'], 'imagesPerRow' | 'documentsPerRow' | 'sequenceLength'>;
}

/** For `superRefine` of a schema with `transfusionFields`: fields that do not go together. */
export function checkTransfusionFields(
  { model, data, batch, diffusion, objective }: CheckedFields,
  context: Pick<z.RefinementCtx, 'addIssue'>,
): void {
  const issue = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
  for (const { path, message } of weightingProblems(diffusion.parameterisation, objective)) {
    issue(['objective', ...path], message);
  }
  for (const { path, message } of unpatchedProblems(model)) issue(['model', ...path], message);
  if (batch.documentsPerRow !== null && data.documentShare === null) {
    issue(
      ['batch', 'documentsPerRow'],
      'is for rows of documents alone, and data.documentShare is null: set it (0.35, say), or leave documentsPerRow out and use imagesPerRow',
    );
  }
  if (batch.imagesPerRow === null && batch.sequenceLength === null) {
    issue(
      ['batch', 'sequenceLength'],
      'must be set where batch.imagesPerRow is null: rows are filled up to it (256, say)',
    );
  }
  if (model.images === 'tokens' && data.imageContext === 'clean') {
    issue(
      ['data', 'imageContext'],
      'clean is for images that are noised, and model.images is tokens: leave it out (tokens are clean), or choose model.images=diffusion',
    );
  }
}

const fields = z.strictObject(transfusionFields);
const transfusionTrainingSchema = fields.superRefine(checkTransfusionFields);

export type TransfusionTrainingConfig = z.output<typeof fields>;
export type TransfusionTrainingInput = z.input<typeof fields>;

/** A configuration with its defaults. @throws TransfusionError CONFIG_INVALID naming path, expectation and nearest known key */
export function transfusionTrainingConfig(config: TransfusionTrainingInput = {}): TransfusionTrainingConfig {
  return parseConfig(transfusionTrainingSchema, config, 'configuration');
}
