/** @file A model folder with random weights that is quick to sample from, for tests. */
import { saveModelFolder } from '@transfusion/checkpoint/node';
import { initialise, isParameterSpec, type ParameterSpec } from '@transfusion/nn';
import { pipelineConfigSchema } from '@transfusion/sampler';
import { flattenTree } from '@transfusion/tensor';
import { transfusionSpec } from '@transfusion/transformer';
import {
  type AutoencoderConfig,
  autoencoderCodec,
  autoencoderSpec,
  exportWeights,
  klConfigSchema,
} from '@transfusion/vae';

/** One token per byte, spelled as GPT-2 spells bytes: printable ones as they are, the others from U+0100 on. */
function byteTokenizerJson() {
  let next = 0x100;
  const spellings = Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCharCode(isPrintable ? byte : next++);
  });
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false };
  return {
    version: '1.0',
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: { type: 'BPE', vocab: Object.fromEntries(spellings.map((token, id) => [token, id])), merges: [] },
  };
}

/** Latents of half the image's height and width, 4 channels. */
export const tinyKl = klConfigSchema.parse({
  block_out_channels: [8, 8],
  norm_num_groups: 4,
  latent_channels: 4,
  // Brings the latents of random weights to about unit variance.
  scaling_factor: 16,
});

/** Images of 8 x 8 in 4 patches, a context of 48 positions, 261 ids; of pixels, or of the latents of an autoencoder. */
export async function writeTinyModelFolder(path: string, autoencoder?: AutoencoderConfig): Promise<void> {
  const config = pipelineConfigSchema.parse({
    format: 'transfusion',
    version: 1,
    model: {
      vocabularySize: 261,
      layers: 1,
      channels: 8,
      heads: 2,
      feedForward: 16,
      patchValues: autoencoder ? 16 : 48,
      maxPositions: 48,
      timestepDimensions: 8,
      initializerStd: 0.5,
    },
    codec: autoencoder && autoencoderCodec(autoencoder),
    image: { size: 8, patchSize: autoencoder ? 2 : 4 },
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
  await saveModelFolder({ path, config, tensors, tokenizer: byteTokenizerJson(), vae, trainer });
}

function initialValues(spec: unknown): Map<string, Float32Array> {
  return flattenTree<Float32Array>(initialise(spec, 1), (value) => value instanceof Float32Array);
}
