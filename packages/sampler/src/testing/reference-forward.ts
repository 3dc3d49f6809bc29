/** @file The model over whole sequences without a cache, from the packing of @transfusion/data: what decoding must equal. */
import { type Document, packDocuments } from '@transfusion/data';
import { type Backend, compile, f32, i32, type Variable } from '@transfusion/tensor';
import { forward, languageLogits, predictPatches, type TransfusionParameters } from '@transfusion/transformer';
import { imageLayout, type PipelineConfig } from '../config.js';
import { byteTokenizer } from './tiny-model.js';

export interface WholeSequence {
  /** [positions, vocabulary], row by row. */
  logits: Float32Array[];
  /** [patches, patchValues] of each image. */
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
  const { patches } = imageLayout(config);
  const { patchValues, vocabularySize } = config.model;
  const images = timesteps.length;
  const packed = packDocuments([document], {
    rows: 1,
    sequenceLength: config.model.maxPositions,
    patchesPerImage: patches,
    patchValues,
    maxImagesPerRow: images,
    special: byteTokenizer().special,
  });
  const row = i32(1, packed.sequenceLength);
  const run = await compile({
    backend,
    name: 'whole sequence',
    inputs: {
      ...{ tokens: row, patchIndex: row, positions: row, begin: row, end: row },
      patches: f32(images, patches, patchValues),
      timesteps: f32(images),
      patchPositions: i32(images, patches),
    },
    state: { parameters },
    fn: ({ patchPositions, ...inputs }, state) => {
      const { hidden } = forward(config.model, state.parameters, inputs);
      const logits = languageLogits(state.parameters, hidden);
      return { outputs: { logits, predictions: predictPatches(state.parameters, hidden, patchPositions) } };
    },
  });
  const { tokens, patchIndex, positions, begin, end, patchPositions, latents } = packed;
  const result = await run.run({
    ...{ tokens, patchIndex, positions, begin, end, patchPositions, patches: latents },
    timesteps: Float32Array.from(timesteps),
  });
  run.dispose();
  return {
    logits: split(result.logits, vocabularySize).slice(0, packed.documents[0].end),
    predictions: split(result.predictions, patches * patchValues),
  };
}

function split(values: Float32Array, length: number): Float32Array[] {
  return Array.from({ length: values.length / length }, (_, i) => values.slice(i * length, (i + 1) * length));
}

export function greatestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), a.length === b.length ? 0 : Infinity);
}
