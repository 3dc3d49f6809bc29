/** @file A model folder with random weights that is quick to sample from, for tests. */
import { saveModelFolder } from '@transfusion/checkpoint/node';
import { type ImageSize, imageSizeToken } from '@transfusion/data';
import { initialise, isParameterSpec, type ParameterSpec } from '@transfusion/nn';
import { pipelineConfigSchema } from '@transfusion/sampler';
import { flattenTree } from '@transfusion/tensor';
import { type ModelConfigInput, transfusionSpec } from '@transfusion/transformer';
import {
  type AutoencoderConfig,
  autoencoderCodec,
  autoencoderSpec,
  exportWeights,
  klConfigSchema,
  vqConfigSchema,
} from '@transfusion/vae';
import { byteTokenizer, byteTokenizerJson } from '../../../../packages/tokenizer/src/testing/byte-tokenizer.js';

/** Latents of half the image's height and width, 4 channels. */
export const tinyKl = klConfigSchema.parse({
  block_out_channels: [8, 8],
  norm_num_groups: 4,
  latent_channels: 4,
  // Brings the latents of random weights to about unit variance.
  scaling_factor: 16,
});

/** The same with a codebook of 16. */
export const tinyVq = vqConfigSchema.parse({
  block_out_channels: [8, 8],
  norm_num_groups: 4,
  latent_channels: 4,
  num_vq_embeddings: 16,
  vq_embed_dim: 4,
});

/** Of a model whose images are 4 x 4 of these codes. */
export const ofTokens = { images: 'tokens', vocabularySize: 261 + 16, patchSize: 1, patchValues: 1 } as const;

/** Images of 8 x 8 in 4 patches, a context of 48 positions, 261 ids; of pixels, or of the latents of an autoencoder. */
export async function writeTinyModelFolder(
  path: string,
  autoencoder?: AutoencoderConfig,
  /** Sizes that the model announces, 8 x 8 among them; default: that alone, not announced. */
  announced?: readonly ImageSize[],
  /** Of the model. */
  changes: Partial<ModelConfigInput> = {},
): Promise<void> {
  const config = pipelineConfigSchema.parse({
    format: 'transfusion',
    version: 2,
    model: {
      vocabularySize: 261 + (announced?.length ?? 0),
      layers: 1,
      channels: 8,
      heads: 2,
      feedForward: 16,
      patchSize: autoencoder ? 2 : 4,
      patchValues: autoencoder ? 16 : 48,
      maxPositions: 48,
      timestepDimensions: 8,
      initializerStd: 0.5,
      ...changes,
    },
    codec: autoencoder && autoencoderCodec(autoencoder),
    image: announced ? { size: 8, sizes: [...announced], announced: true } : { size: 8 },
    sampling: { steps: 3 },
  });
  const spec = transfusionSpec(config.model);
  const shapes = flattenTree<ParameterSpec>(spec, isParameterSpec);
  const tensors = new Map(
    [...initialValues(spec)].map(([name, data]) => {
      // The prediction head starts at zero, which would hide everything before it.
      if (name === 'patchOut.weight') data.forEach((_, i) => (data[i] = Math.sin(i)));
      return [name, { shape: [...shapes.get(name)!.shape], data }];
    }),
  );
  const trainer = { state: { step: 123 }, optimizer: new Map([['m.norm', { shape: [1], data: new Float32Array(1) }]]) };
  const vae = autoencoder && {
    config: autoencoder,
    tensors: exportWeights({ config: autoencoder, values: initialValues(autoencoderSpec(autoencoder)) }),
  };
  const tokenizer = announced ? byteTokenizer(announced.map(imageSizeToken)).toJson() : byteTokenizerJson();
  await saveModelFolder({ path, config, tensors, tokenizer, vae, trainer });
}

function initialValues(spec: unknown): Map<string, Float32Array> {
  return flattenTree<Float32Array>(initialise(spec, 1), (value) => value instanceof Float32Array);
}
