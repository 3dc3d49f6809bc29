/** @file The configuration of an autoencoder: `config.json` of diffusers' AutoencoderKL and VQModel, key for key. */
import { z } from 'zod';

const DOWN_BLOCK = 'DownEncoderBlock2D';
const UP_BLOCK = 'UpDecoderBlock2D';
const MOST_CHANNELS = 16_384;

const channels = z.int().min(1).max(MOST_CHANNELS);
const perChannel = z.array(z.number()).nullable().default(null);

/** Keys with an underscore are diffusers' own notes; any other of them is dropped by `parseAutoencoderConfig`. */
const sharedFields = {
  _diffusers_version: z.string().optional().describe('version of diffusers that wrote the file; not used'),
  _name_or_path: z.string().optional().describe('where diffusers had the model from; not used'),
  in_channels: z.literal(3).default(3).describe('red, green, blue'),
  out_channels: z.literal(3).default(3).describe('red, green, blue'),
  down_block_types: z.array(z.literal(DOWN_BLOCK)).optional().describe('one per level; default: all of this kind'),
  up_block_types: z.array(z.literal(UP_BLOCK)).optional().describe('one per level; default: all of this kind'),
  block_out_channels: z
    .array(channels)
    .min(1)
    .max(8)
    .default([64])
    .describe('channels of each level, finest first; each level after the first halves the image'),
  layers_per_block: z
    .int()
    .min(1)
    .max(64)
    .default(1)
    .describe('residual blocks of an encoder level; a decoder has one more'),
  act_fn: z.enum(['silu', 'swish']).default('silu').describe('activation: x sigmoid(x), by either name'),
  norm_num_groups: z.int().min(1).max(MOST_CHANNELS).default(32).describe('groups of group norm'),
  sample_size: z
    .union([z.int().min(1), z.array(z.int().min(1)).length(2)])
    .default(32)
    .describe('size of the images it was trained on; not used'),
  scaling_factor: z.number().positive().default(0.18215).describe('what latents are multiplied by'),
  force_upcast: z.boolean().default(true).describe('whether f16 overflows; everything here is f32'),
  mid_block_add_attention: z.boolean().default(true).describe('attention in the middle, at the coarsest level'),
};

export const klConfigSchema = z
  .strictObject({
    _class_name: z.literal('AutoencoderKL').default('AutoencoderKL'),
    ...sharedFields,
    latent_channels: channels.default(4).describe('channels of the latents'),
    shift_factor: z.number().nullable().default(null).describe('what is subtracted from latents before scaling'),
    latents_mean: perChannel.describe('mean of each latent channel, subtracted before scaling'),
    latents_std: perChannel.describe('deviation of each latent channel, divided by when scaling'),
    use_quant_conv: z.boolean().default(true).describe('1x1 convolution after the encoder'),
    use_post_quant_conv: z.boolean().default(true).describe('1x1 convolution before the decoder'),
  })
  .superRefine((config, context) => {
    checkLevels(config, context);
    const { latents_mean, latents_std, latent_channels, shift_factor } = config;
    for (const [name, list] of Object.entries({ latents_mean, latents_std })) {
      if (list && list.length !== latent_channels) {
        issue(context, name, `has ${list.length} numbers for latent_channels = ${latent_channels}`);
      }
    }
    if ((latents_mean === null) !== (latents_std === null)) {
      issue(context, 'latents_std', 'latents_mean and latents_std go together: give both or neither');
    }
    if (latents_std?.some((std) => std <= 0)) issue(context, 'latents_std', 'every deviation must be above 0');
    if (latents_mean && shift_factor) {
      issue(context, 'shift_factor', 'latents are shifted by latents_mean or by shift_factor, not by both');
    }
  });

export const vqConfigSchema = z
  .strictObject({
    _class_name: z.literal('VQModel').default('VQModel'),
    ...sharedFields,
    latent_channels: channels.default(3).describe('channels between encoder and the projection to codes'),
    num_vq_embeddings: z.int().min(2).max(1_048_576).default(16_384).describe('codes in the codebook'),
    vq_embed_dim: channels
      .nullable()
      .default(8)
      .describe('numbers in a code (the paper projects to 8); null: latent_channels'),
    norm_type: z.literal('group').default('group').describe('normalisation of the decoder'),
    lookup_from_codebook: z.boolean().default(false).describe("whether diffusers' decode takes ids; not used"),
  })
  .superRefine(checkLevels);

export type KlConfig = z.output<typeof klConfigSchema>;
export type KlConfigInput = z.input<typeof klConfigSchema>;
export type VqConfig = z.output<typeof vqConfigSchema>;
export type VqConfigInput = z.input<typeof vqConfigSchema>;
export type AutoencoderConfig = KlConfig | VqConfig;

function issue(context: z.RefinementCtx, path: string, message: string): void {
  context.addIssue({ code: 'custom', path: [path], message });
}

interface Levels {
  block_out_channels: number[];
  norm_num_groups: number;
  down_block_types?: string[];
  up_block_types?: string[];
}

function checkLevels(config: Levels, context: z.RefinementCtx): void {
  const { block_out_channels, norm_num_groups } = config;
  for (const name of ['down_block_types', 'up_block_types'] as const) {
    const types = config[name];
    if (types && types.length !== block_out_channels.length) {
      issue(context, name, `has ${types.length} entries for the ${block_out_channels.length} of block_out_channels`);
    }
  }
  const odd = block_out_channels.find((width) => width % norm_num_groups !== 0);
  if (odd !== undefined) {
    issue(context, 'norm_num_groups', `${norm_num_groups} groups do not divide ${odd} of block_out_channels`);
  }
}

/** Pixels, down and across, for one latent. */
export function downsamplingFactor({ block_out_channels }: Pick<Levels, 'block_out_channels'>): number {
  return 2 ** (block_out_channels.length - 1);
}

/** Numbers in a code of the codebook. */
export function codeChannels(config: Pick<VqConfig, 'vq_embed_dim' | 'latent_channels'>): number {
  return config.vq_embed_dim ?? config.latent_channels;
}

/** Channels of the latents that the codec hands out. */
export function latentChannels(config: AutoencoderConfig): number {
  return config._class_name === 'VQModel' ? codeChannels(config) : config.latent_channels;
}

/** The epsilon of every group norm. */
export const NORM_EPSILON = 1e-6;
