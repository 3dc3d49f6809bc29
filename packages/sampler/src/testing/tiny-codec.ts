/** @file Tiny autoencoders with random weights, and the configuration of a model of their latents, for tests. */
import { initialise } from '@transfusion/nn';
import { flattenTree } from '@transfusion/tensor';
import {
  type AutoencoderConfig,
  autoencoderCodec,
  autoencoderSpec,
  exportWeights,
  klConfigSchema,
  vqConfigSchema,
} from '@transfusion/vae';
import type { PipelineConfig } from '../config.js';
import { tinyConfig } from './tiny-model.js';

const tiny = {
  block_out_channels: [8, 8],
  layers_per_block: 1,
  norm_num_groups: 4,
  latent_channels: 4,
  // Brings the latents of random weights to about unit variance, so that a model tells images apart.
  scaling_factor: 16,
};

/** Half the image's height and width, 4 channels. */
export const tinyKl = klConfigSchema.parse(tiny);
/** The same, each latent one of 16 vectors. */
export const tinyVq = vqConfigSchema.parse({ ...tiny, num_vq_embeddings: 16, vq_embed_dim: 4 });

/** Tensors of a file. */
export function tinyCodecWeights(config: AutoencoderConfig, seed = 1) {
  const values = flattenTree<Float32Array>(
    initialise(autoencoderSpec(config), seed),
    (value) => value instanceof Float32Array,
  );
  return exportWeights({ config, values });
}

/** Images of 4 x 4 pixels, each of their 2 x 2 latents a patch. */
export function tinyLatentConfig(autoencoder: AutoencoderConfig): PipelineConfig {
  return tinyConfig({
    codec: autoencoderCodec(autoencoder),
    model: { ...tinyConfig().model, patchSize: 1, patchValues: 4 },
  });
}
