/** @file The configuration of `trainer vae`: one file, every field documented and defaulted. */
import { klConfigSchema, klPresets, vqConfigSchema, vqPresets } from '@transfusion/vae';
import { z } from 'zod';
import { runLearningRateSchema } from '../config/learning-rate.js';
import { emaSchema, imageDataFields, nameSchema, optimizerFields, seedSchema } from '../config/shared-fields.js';

const autoencoderSchema = z
  .strictObject({
    kind: z.enum(['kl', 'vq']).default('kl').describe('kl: continuous latents; vq: token ids of a codebook'),
    preset: z
      .enum(['emoji-64', 'paper'])
      .default('emoji-64')
      .describe('sizes to start from; paper: 256 x 256 to 32 x 32 x 8, 84M parameters'),
    overrides: z
      .record(z.string(), z.unknown())
      .default({})
      .describe("fields of diffusers' config.json that differ from the preset's, such as block_out_channels"),
  })
  .prefault({});

const dataSchema = z
  .strictObject({
    ...imageDataFields,
    dataset: imageDataFields.dataset.default('emoji-styles'),
    imageSize: imageDataFields.imageSize.default(64),
    heldOutFraction: imageDataFields.heldOutFraction.default(0.05),
    flip: z.boolean().default(true).describe('mirror half of the images, drawn anew at every step'),
  })
  .prefault({});

const lossSchema = z
  .strictObject({
    reconstruction: z.number().min(0).default(1).describe('weight of L1, a mean over pixels and channels'),
    squaredError: z
      .number()
      .min(0)
      .default(0)
      .describe('weight of the mean squared error, in which large errors count more'),
    structuralSimilarity: z
      .number()
      .min(0)
      .default(0)
      .describe('weight of 1 - SSIM: a perceptual term that needs no weights (the paper has LPIPS instead)'),
    kl: z
      .number()
      .min(0)
      .default(1e-6)
      .describe('of kl: weight of the divergence, summed over the latents of an image (paper: 1e-6)'),
    quantiser: z.number().min(0).default(1).describe('of vq: weight of codebook and commitment terms (paper: 1)'),
    commitment: z.number().min(0).default(0.25).describe('of vq: beta'),
    lpips: z.number().min(0).default(1).describe('weight of LPIPS, where lpipsWeights is given'),
    lpipsWeights: z
      .string()
      .nullable()
      .default(null)
      .describe('a file of LPIPS weights (packages/losses/scripts/convert_lpips.py); null: the term is off'),
    adversarial: z.number().min(0).default(0.5).describe('weight of the patch discriminator (paper: 0.5); 0: none'),
    adversarialStart: z.int().min(0).default(50_000).describe('steps before it takes part (paper: 50,000)'),
    discriminatorChannels: z.int().min(1).max(1024).default(64).describe('of its first layer'),
    discriminatorLayers: z.int().min(1).max(6).default(3).describe('its convolutions of stride 2'),
  })
  .prefault({});

const revivalSchema = z
  .strictObject({
    every: z.int().min(0).default(100).describe('steps between revivals of dead codes; 0: never'),
    threshold: z.number().min(0).default(1).describe('a code used less often than this since the last is dead'),
    until: z.number().min(0).max(1).default(0.8).describe('share of the steps after which none is revived any more'),
  })
  .prefault({});

export const vaeRunConfigSchema = z.strictObject({
  name: nameSchema.default('vae'),
  seed: seedSchema,
  steps: z.int().min(1).default(10_000).describe('optimizer steps'),
  autoencoder: autoencoderSchema,
  initialWeights: z
    .string()
    .nullable()
    .default(null)
    .describe(
      'an autoencoder whose weights to start from, where names and shapes agree: a folder or a model of this repository',
    ),
  data: dataSchema,
  batchSize: z.int().min(1).default(16).describe('images of a step'),
  loss: lossSchema,
  revival: revivalSchema,
  optimizer: z
    .strictObject({
      ...optimizerFields,
      beta2: optimizerFields.beta2.default(0.99),
      weightDecay: optimizerFields.weightDecay.default(0),
    })
    .prefault({}),
  learningRate: runLearningRateSchema({ learningRate: 1e-3, finalLearningRate: 1e-5 }),
  ema: emaSchema,
  sample: z
    .strictObject({
      every: z.int().min(0).default(500).describe('steps between reconstruction grids and held-out scores; 0: none'),
      images: z.int().min(1).max(64).default(16).describe('pictures of a grid'),
      scored: z.int().min(1).default(256).describe('held-out pictures that are scored on the way'),
    })
    .prefault({}),
  checkpointEvery: z.int().min(1).default(500).describe('steps between checkpoints'),
  logEvery: z.int().min(1).default(10).describe('steps between lines of metrics.jsonl'),
});

export type VaeRunConfig = z.output<typeof vaeRunConfigSchema>;
export type VaeRunConfigInput = z.input<typeof vaeRunConfigSchema>;

/** The schema and sizes of the configured autoencoder, to be parsed with what is known of it. */
export function autoencoderConfigOf({ autoencoder }: VaeRunConfig) {
  const { kind, preset, overrides } = autoencoder;
  return kind === 'kl'
    ? { schema: klConfigSchema, value: { ...klPresets[preset], ...overrides } }
    : { schema: vqConfigSchema, value: { ...vqPresets[preset], ...overrides } };
}
