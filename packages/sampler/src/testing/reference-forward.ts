/** @file The model over whole sequences without a cache, from the packing of @transfusion/data: what decoding must equal. */
import { type Document, packDocuments } from '@transfusion/data';
import { type Backend, compile, f32, i32, type Variable } from '@transfusion/tensor';
import { forward, languageLogits, predictLatents, type TransfusionParameters } from '@transfusion/transformer';
import { imageLayout, imageSizes, type PipelineConfig } from '../config.js';
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
  const { patchSize, vocabularySize, imageAttention, imagePositions } = config.model;
  const { channels } = imageLayout(config).latent;
  const slots = timesteps.length;
  const grids = imageSizes(config.image).map((size) => ({ ...imageLayout(config, size).latent, slots }));
  const packed = packDocuments([document], {
    rows: 1,
    sequenceLength: config.model.maxPositions,
    ...{ channels, patchSize, imageAttention, imagePositions, grids },
    special: byteTokenizer().special,
  });
  const row = i32(1, packed.sequenceLength);
  const run = await compile({
    backend,
    name: 'whole sequence',
    inputs: {
      ...{ tokens: row, positions: row, begin: row, end: row, ...(packed.columns ? { columns: row } : {}) },
      images: packed.groups.map(({ height, width, patches }) => ({
        ...{ latents: f32(slots, height, width, channels), timesteps: f32(slots) },
        ...{ patchIndex: row, patchPositions: i32(slots, patches) },
      })),
    },
    state: { parameters },
    fn: (inputs, state) => {
      const { hidden, groups } = forward(config.model, state.parameters, inputs);
      const logits = languageLogits(state.parameters, hidden);
      return { outputs: { logits, predictions: groups.map((group) => predictLatents(hidden, group)) } };
    },
  });
  const { tokens, positions, columns, begin, end } = packed;
  const result = await run.run({
    ...{ tokens, positions, begin, end, ...(columns ? { columns } : {}) },
    images: packed.groups.map(({ latents, patchIndex, patchPositions }, group) => ({
      ...{ latents, patchIndex, patchPositions },
      timesteps: Float32Array.from({ length: slots }, (_, slot) => {
        return timesteps[packed.images.findIndex((image) => image.group === group && image.slot === slot)] ?? 0;
      }),
    })),
  });
  run.dispose();
  const predictions = result.predictions.map((all) => split(all, all.length / slots));
  return {
    logits: split(result.logits, vocabularySize).slice(0, packed.documents[0].end),
    predictions: packed.images.map(({ group, slot }) => predictions[group][slot]),
  };
}

function split(values: Float32Array, length: number): Float32Array[] {
  return Array.from({ length: values.length / length }, (_, i) => values.slice(i * length, (i + 1) * length));
}

export function greatestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), a.length === b.length ? 0 : Infinity);
}
