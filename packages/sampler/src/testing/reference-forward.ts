/** @file The model over whole sequences without a cache, from the packing of @transfusion/data: what decoding must equal. */
import { type Document, packDocuments } from '@transfusion/data';
import { type Backend, compile, f32, i32, type Variable } from '@transfusion/tensor';
import { forward, languageLogits, predictLatents, type TransfusionParameters } from '@transfusion/transformer';
import { imageLayout, type PipelineConfig } from '../config.js';
import { byteTokenizer } from './tiny-model.js';

export interface WholeSequence {
  /** [positions, vocabulary], row by row. */
  logits: Float32Array[];
  /** [height, width, channels] of each image. */
  predictions: Float32Array[];
}

/** One forward pass over a document; `timesteps`: of its images. */
export async function wholeSequence(options: {
  backend: Backend;
  config: PipelineConfig;
  parameters: TransfusionParameters<Variable>;
  document: Document;
  timesteps: number[];
}): Promise<WholeSequence> {
  const { backend, config, parameters, document, timesteps } = options;
  const { latent, patches } = imageLayout(config);
  const { height, width, channels } = latent;
  const { patchSize, vocabularySize } = config.model;
  const images = timesteps.length;
  const packed = packDocuments([document], {
    rows: 1,
    sequenceLength: config.model.maxPositions,
    ...{ channels, patchSize, grids: [{ height, width, slots: images }] },
    special: byteTokenizer().special,
  });
  const row = i32(1, packed.sequenceLength);
  const run = await compile({
    backend,
    name: 'whole sequence',
    inputs: {
      ...{ tokens: row, positions: row, begin: row, end: row },
      images: { latents: f32(images, height, width, channels), timesteps: f32(images), patchIndex: row },
      patchPositions: i32(images, patches),
    },
    state: { parameters },
    fn: ({ patchPositions, images: group, ...inputs }, state) => {
      const { hidden, groups } = forward(config.model, state.parameters, { ...inputs, images: [group] });
      const logits = languageLogits(state.parameters, hidden);
      return { outputs: { logits, predictions: predictLatents(hidden, groups[0], patchPositions) } };
    },
  });
  const { tokens, positions, begin, end } = packed;
  const [{ patchIndex, patchPositions, latents }] = packed.groups;
  const result = await run.run({
    ...{ tokens, positions, begin, end, patchPositions },
    images: { latents, patchIndex, timesteps: Float32Array.from(timesteps) },
  });
  run.dispose();
  return {
    logits: split(result.logits, vocabularySize).slice(0, packed.documents[0].end),
    predictions: split(result.predictions, height * width * channels),
  };
}

function split(values: Float32Array, length: number): Float32Array[] {
  return Array.from({ length: values.length / length }, (_, i) => values.slice(i * length, (i + 1) * length));
}

export function greatestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), a.length === b.length ? 0 : Infinity);
}
