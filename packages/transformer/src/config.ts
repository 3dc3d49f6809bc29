/** @file The configuration of a Transfusion model. */
import { z } from 'zod';
import { patcherProblems, patcherSchema } from './patchers/config.js';

/** The fields of a model's configuration, without defaults. */
export const modelFields = {
  vocabularySize: z.int().min(1).describe('token ids, control tokens included'),
  layers: z.int().min(1).describe('transformer blocks'),
  channels: z.int().min(2).describe('width of the residual stream (d)'),
  heads: z.int().min(1).describe('attention heads'),
  kvHeads: z.int().min(1).describe('key and value heads; divides heads; default: heads'),
  feedForward: z.int().min(1).describe("hidden width of SwiGLU; default Llama's rule: 8/3 channels, rounded up to 256"),
  images: z
    .enum(['diffusion', 'tokens', 'none'])
    .describe(
      'images are noised patches to predict the noise of (diffusion: Transfusion), or ids of a codebook at the end of the vocabulary, learned as text is (tokens: Chameleon, arXiv 2405.09818); none: a plain language model',
    ),
  patchSize: z.int().min(1).describe('side of the square of latents that is one position of the sequence'),
  patchValues: z.int().min(1).describe('numbers in one patch: patch size squared times latent channels'),
  patcher: patcherSchema.describe('how images enter the transformer and leave it'),
  // Bounded because memory follows from it, and in a model folder no tensor's size vouches for it.
  maxPositions: z.int().min(1).max(1_048_576).describe('longest sequence'),
  ropeTheta: z.number().positive().describe('base of the rotary frequencies'),
  normEpsilon: z.number().positive().describe('epsilon of RMSNorm'),
  norm: z
    .enum(['pre', 'post'])
    .describe(
      'pre: attention and feed-forward are of normed inputs (Llama); post: what they add is normed (Chameleon, section 2.3)',
    ),
  qkNorm: z.boolean().describe('RMSNorm of queries and keys per head (Chameleon; not in the paper)'),
  imageAttention: z
    .enum(['bidirectional', 'causal'])
    .describe("what a patch sees of its own image: all of it, or itself and what comes before (the paper's Table 5)"),
  imagePositions: z
    .enum(['1d', '2d'])
    .describe('rotary positions of patches: along the sequence, or by row and column; not in the paper: 2d'),
  patchCoordinates: z
    .enum(['none', 'sinusoidal'])
    .describe(
      "what is added to a patch's vector: nothing (the paper), or sines and cosines of its column and row (DiT; BAGEL, arXiv 2505.14683), by which patches find the same place in another image: for editing",
    ),
  feedForwards: z
    .enum(['shared', 'per-modality'])
    .describe('one feed-forward for all positions, or one of their own for patches (Mixture-of-Transformers)'),
  timestepDimensions: z.int().min(2).multipleOf(2).describe('width of the sinusoid that embeds a timestep'),
  initializerStd: z.number().positive().describe('standard deviation of initial weights'),
};

/** Every size of the model. Defaults are the paper's choices (Llama block, section 3.2 and footnote 4). */
export const modelConfigSchema = z
  .strictObject({
    ...modelFields,
    kvHeads: modelFields.kvHeads.optional(),
    feedForward: modelFields.feedForward.optional(),
    images: modelFields.images.default('diffusion'),
    patchSize: modelFields.patchSize.default(1),
    patchValues: modelFields.patchValues.default(1),
    patcher: modelFields.patcher.prefault({ kind: 'linear' }),
    maxPositions: modelFields.maxPositions.default(4096),
    ropeTheta: modelFields.ropeTheta.default(10_000),
    normEpsilon: modelFields.normEpsilon.default(1e-5),
    norm: modelFields.norm.default('pre'),
    qkNorm: modelFields.qkNorm.default(false),
    imageAttention: modelFields.imageAttention.default('bidirectional'),
    imagePositions: modelFields.imagePositions.default('1d'),
    patchCoordinates: modelFields.patchCoordinates.default('none'),
    feedForwards: modelFields.feedForwards.default('shared'),
    timestepDimensions: modelFields.timestepDimensions.default(256),
    initializerStd: modelFields.initializerStd.default(0.02),
  })
  .refine(({ channels, heads }) => channels % heads === 0 && (channels / heads) % 2 === 0, {
    message: 'channels / heads (the head dimension) must be a whole even number',
    path: ['heads'],
  })
  .refine(({ imagePositions, channels, heads }) => imagePositions === '1d' || (channels / heads) % 4 === 0, {
    message:
      'with imagePositions 2d, channels / heads (the head dimension) must be a multiple of 4: pairs turn by row and by column in turn',
    path: ['heads'],
  })
  .refine(({ patchCoordinates, channels }) => patchCoordinates === 'none' || channels % 4 === 0, {
    message: 'with sinusoidal coordinates, channels must be a multiple of 4: sine and cosine of column and row',
    path: ['patchCoordinates'],
  })
  .refine(({ heads, kvHeads }) => kvHeads === undefined || heads % kvHeads === 0, {
    message: 'kvHeads must divide heads',
    path: ['kvHeads'],
  })
  .refine(({ patchSize, patchValues }) => patchValues % patchSize ** 2 === 0, {
    message: 'patchValues must be patchSize squared times the channels of a latent',
    path: ['patchValues'],
  })
  .refine((config) => diffusesImages(config) || (config.patchSize === 1 && config.patchValues === 1), {
    message:
      "without images to diffuse there are no patches: leave patchSize and patchValues out, or choose images: 'diffusion'",
    path: ['images'],
  })
  .superRefine((config, context) => {
    for (const { path, message } of unpatchedProblems(config)) context.addIssue({ code: 'custom', path, message });
  })
  .superRefine(({ patcher, ...sizes }, context) => {
    if (!diffusesImages(sizes)) return;
    for (const { path, message } of patcherProblems(patcher, sizes)) {
      context.addIssue({ code: 'custom', path: ['patcher', ...path], message });
    }
  });

export type ModelConfig = z.output<typeof modelConfigSchema>;
export type ModelConfigInput = z.input<typeof modelConfigSchema>;

/** What says how patches are read, and what it is in a model that has none. */
const WITHOUT_PATCHES = {
  patcher: { kind: 'linear', bottleneck: null },
  imageAttention: 'bidirectional',
  imagePositions: '1d',
  patchCoordinates: 'none',
  feedForwards: 'shared',
};

/** Fields of patches that are set in a model without any; what is left out is as it should be. */
export function unpatchedProblems(
  config: { images?: 'diffusion' | 'tokens' | 'none' } & Partial<Record<keyof typeof WITHOUT_PATCHES, unknown>>,
): { path: string[]; message: string }[] {
  if (diffusesImages(config)) return [];
  return Object.entries(WITHOUT_PATCHES).flatMap(([name, value]) => {
    const given = config[name as keyof typeof WITHOUT_PATCHES];
    if (given === undefined || JSON.stringify(given) === JSON.stringify(value)) return [];
    const message = `is about patches, and there are none where images is '${config.images}': leave it out, or choose images: 'diffusion'`;
    return [{ path: [name], message }];
  });
}

/** Whether the model has parts for the noised patches of images. Without, `forward` takes tokens only. */
export function diffusesImages({ images }: { images?: 'diffusion' | 'tokens' | 'none' }): boolean {
  return images !== 'tokens' && images !== 'none';
}

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
