/** @file The configuration of a Transfusion model. */
import { z } from 'zod';

/** The fields of a model's configuration, without defaults. */
export const modelFields = {
  vocabularySize: z.int().min(1).describe('token ids, control tokens included'),
  layers: z.int().min(1).describe('transformer blocks'),
  channels: z.int().min(2).describe('width of the residual stream (d)'),
  heads: z.int().min(1).describe('attention heads'),
  kvHeads: z.int().min(1).describe('key and value heads; divides heads; default: heads'),
  feedForward: z.int().min(1).describe("hidden width of SwiGLU; default Llama's rule: 8/3 channels, rounded up to 256"),
  patchSize: z.int().min(1).describe('side of the square of latents that is one position of the sequence'),
  patchValues: z.int().min(1).describe('numbers in one patch: patch size squared times latent channels'),
  // Bounded because memory follows from it, and in a model folder no tensor's size vouches for it.
  maxPositions: z.int().min(1).max(1_048_576).describe('longest sequence'),
  ropeTheta: z.number().positive().describe('base of the rotary frequencies'),
  normEpsilon: z.number().positive().describe('epsilon of RMSNorm'),
  qkNorm: z.boolean().describe('RMSNorm of queries and keys per head (Chameleon; not in the paper)'),
  timestepDimensions: z.int().min(2).multipleOf(2).describe('width of the sinusoid that embeds a timestep'),
  initializerStd: z.number().positive().describe('standard deviation of initial weights'),
};

/** Every size of the model. Defaults are the paper's choices (Llama block, section 3.2 and footnote 4). */
export const modelConfigSchema = z
  .strictObject({
    ...modelFields,
    kvHeads: modelFields.kvHeads.optional(),
    feedForward: modelFields.feedForward.optional(),
    patchSize: modelFields.patchSize.default(1),
    maxPositions: modelFields.maxPositions.default(4096),
    ropeTheta: modelFields.ropeTheta.default(10_000),
    normEpsilon: modelFields.normEpsilon.default(1e-5),
    qkNorm: modelFields.qkNorm.default(false),
    timestepDimensions: modelFields.timestepDimensions.default(256),
    initializerStd: modelFields.initializerStd.default(0.02),
  })
  .refine(({ channels, heads }) => channels % heads === 0 && (channels / heads) % 2 === 0, {
    message: 'channels / heads (the head dimension) must be a whole even number',
    path: ['heads'],
  })
  .refine(({ heads, kvHeads }) => kvHeads === undefined || heads % kvHeads === 0, {
    message: 'kvHeads must divide heads',
    path: ['kvHeads'],
  })
  .refine(({ patchSize, patchValues }) => patchValues % patchSize ** 2 === 0, {
    message: 'patchValues must be patchSize squared times the channels of a latent',
    path: ['patchValues'],
  });

export type ModelConfig = z.output<typeof modelConfigSchema>;
export type ModelConfigInput = z.input<typeof modelConfigSchema>;

/** Llama's rule: 8/3 of the width, rounded up to a multiple of 256. */
export function llamaFeedForward(channels: number, multiple = 256): number {
  return multiple * Math.ceil(Math.floor((8 * channels) / 3) / multiple);
}

export function feedForwardWidth(config: ModelConfig): number {
  return config.feedForward ?? llamaFeedForward(config.channels);
}

/** The paper's Table 2 (vocabulary of Llama 2; 2x2 patches of 8-channel latents), and small ones for one machine. */
export const modelPresets = {
  '0.16b': preset(16, 768, 12),
  '0.37b': preset(24, 1024, 16),
  '0.76b': preset(24, 1536, 24),
  '1.4b': preset(24, 2048, 16),
  '7b': preset(32, 4096, 32),
  nano: { layers: 4, channels: 128, heads: 4, feedForward: 384, initializerStd: 0.05 },
  micro: { layers: 6, channels: 256, heads: 4, feedForward: 704, initializerStd: 0.04 },
  mini: { layers: 8, channels: 384, heads: 6, feedForward: 1024, initializerStd: 0.03 },
} as const satisfies Record<string, Partial<ModelConfigInput>>;

export type ModelPreset = keyof typeof modelPresets;

function preset(layers: number, channels: number, heads: number) {
  return { layers, channels, heads, vocabularySize: 32_000, patchSize: 2, patchValues: 32 };
}
