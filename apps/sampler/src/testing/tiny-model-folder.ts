/** @file A model folder with random weights that is quick to sample from, for tests. */
import { saveModelFolder } from '@transfusion/checkpoint/node';
import { initialise, isParameterSpec, type ParameterSpec } from '@transfusion/nn';
import { pipelineConfigSchema } from '@transfusion/sampler';
import { flattenTree } from '@transfusion/tensor';
import { transfusionSpec } from '@transfusion/transformer';

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

/** Images of 8 x 8, a context of 48 positions, 261 ids. */
export async function writeTinyModelFolder(path: string): Promise<void> {
  const config = pipelineConfigSchema.parse({
    format: 'transfusion',
    version: 1,
    model: {
      vocabularySize: 261,
      layers: 1,
      channels: 8,
      heads: 2,
      feedForward: 16,
      patchValues: 48,
      maxPositions: 48,
      timestepDimensions: 8,
      initializerStd: 0.5,
    },
    image: { size: 8, patchSize: 4 },
    sampling: { steps: 3 },
  });
  const spec = transfusionSpec(config.model);
  const shapes = flattenTree<ParameterSpec>(spec, isParameterSpec);
  const values = flattenTree<Float32Array>(initialise(spec, 1), (value) => value instanceof Float32Array);
  const tensors = new Map(
    [...values].map(([name, data]) => {
      // The prediction head starts at zero, which would hide everything before it.
      if (name === 'patchOut.weight') data.forEach((_, i) => (data[i] = Math.sin(i)));
      return [name, { shape: [...shapes.get(name)!.shape], data }];
    }),
  );
  const trainer = { state: { step: 123 }, optimizer: new Map([['m.norm', { shape: [1], data: new Float32Array(1) }]]) };
  await saveModelFolder({ path, config, tensors, tokenizer: byteTokenizerJson(), trainer });
}
