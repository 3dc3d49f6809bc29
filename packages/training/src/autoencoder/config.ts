/** @file The configuration of an autoencoder's training: every field documented and defaulted. */
import { parseConfig } from '@transfusion/core';
import { klConfigSchema, klPresets, vqConfigSchema, vqPresets } from '@transfusion/vae';
import { z } from 'zod';
import { runLearningRateSchema } from '../learning-rate.js';
import { emaSchema, exchangeSchema, optimizerFields, seedSchema } from '../optimisation.js';
import { heldOutFields } from '../split.js';

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

export const autoencoderDataFields = {
  ...heldOutFields,
  heldOutFraction: heldOutFields.heldOutFraction.default(0.05),
  flip: z.boolean().default(true).describe('mirror half of the images, drawn anew at every step'),
};

export const autoencoderLossFields = {
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
  lpips: z.number().min(0).default(1).describe('weight of LPIPS, where its weights are given'),
  adversarial: z.number().min(0).default(0.5).describe('weight of the patch discriminator (paper: 0.5); 0: none'),
  adversarialStart: z.int().min(0).default(50_000).describe('steps before it takes part (paper: 50,000)'),
  discriminatorChannels: z.int().min(1).max(1024).default(64).describe('of its first layer'),
  discriminatorLayers: z.int().min(1).max(6).default(3).describe('its convolutions of stride 2'),
};

const lossSchema = z.strictObject(autoencoderLossFields);

export type AutoencoderLossConfig = z.output<typeof lossSchema>;

const revivalSchema = z
  .strictObject({
    every: z.int().min(0).default(100).describe('steps between revivals of dead codes; 0: never'),
    threshold: z.number().min(0).default(1).describe('a code used less often than this since the last is dead'),
    until: z.number().min(0).max(1).default(0.8).describe('share of the steps after which none is revived any more'),
  })
  .prefault({});

export type RevivalConfig = z.output<typeof revivalSchema>;

/** What training asks for, whatever the pictures and the terminal are. */
export const autoencoderFields = {
  seed: seedSchema,
  steps: z.int().min(1).default(10_000).describe('optimizer steps'),
  autoencoder: autoencoderSchema,
  data: z.strictObject(autoencoderDataFields).prefault({}),
  batchSize: z.int().min(1).default(16).describe('images of a micro-batch'),
  accumulation: z
    .int()
    .min(1)
    .default(1)
    .describe('micro-batches of a step, which ranks share; more than one only without a discriminator'),
  exchange: exchangeSchema,
  loss: lossSchema.prefault({}),
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
};

const autoencoderTrainingSchema = z.strictObject(autoencoderFields);

export type AutoencoderTrainingConfig = z.output<typeof autoencoderTrainingSchema>;
export type AutoencoderTrainingInput = z.input<typeof autoencoderTrainingSchema>;

/** A configuration with its defaults. @throws TransfusionError CONFIG_INVALID naming path, expectation and nearest known key */
export function autoencoderTrainingConfig(config: AutoencoderTrainingInput = {}): AutoencoderTrainingConfig {
  return parseConfig(autoencoderTrainingSchema, config, 'configuration');
}

/** The schema and sizes of the configured autoencoder, to be parsed with what is known of it. */
export function autoencoderConfigOf({ autoencoder }: Pick<AutoencoderTrainingConfig, 'autoencoder'>) {
  const { kind, preset, overrides } = autoencoder;
  return kind === 'kl'
    ? { schema: klConfigSchema, value: { ...klPresets[preset], ...overrides } }
    : { schema: vqConfigSchema, value: { ...vqPresets[preset], ...overrides } };
}
