/** @file Autoencoders by name. */
import { klConfigSchema, vqConfigSchema } from './config.js';

/** The architecture of Esser et al. 2021 at a downsampling of 8 (that of Stable Diffusion's), with 8 latent channels. */
const paper = {
  block_out_channels: [128, 256, 512, 512],
  layers_per_block: 2,
  norm_num_groups: 32,
  latent_channels: 8,
  sample_size: 256,
  scaling_factor: 1,
};

/** Small enough to be trained on two CPU cores: the fine levels, where the work is, are narrow. */
const emoji64 = {
  block_out_channels: [16, 32, 64, 128],
  layers_per_block: 1,
  norm_num_groups: 8,
  latent_channels: 8,
  sample_size: 64,
  scaling_factor: 1,
};

/**
 * `paper`: 256x256x3 -> 32x32x8 (the paper's appendix A: 86M parameters; this has 83.7M). `emoji-64`: 64x64x3 -> 8x8x8.
 * The scale of latents is measured after training, hence 1.
 */
export const klPresets = {
  paper: klConfigSchema.parse(paper),
  'emoji-64': klConfigSchema.parse(emoji64),
};

/** The same, to token ids: `paper` 256x256 -> 32x32 of 16,384 codes, `emoji-64` 64x64 -> 8x8 of 2,048. */
export const vqPresets = {
  paper: vqConfigSchema.parse(paper),
  'emoji-64': vqConfigSchema.parse({ ...emoji64, num_vq_embeddings: 2048 }),
};
