/** @file The queries, keys and values of a real forward pass over one document. */
import type { PackedBatch } from '@transfusion/data';
import { type Backend, compile, f32, i32, type Tensor } from '@transfusion/tensor';
import { forward, type ModelConfig, type ModelVariables, type ObservedAttention } from '@transfusion/transformer';

/** What attention of a layer reads and gives; T positions. */
export interface LayerArrays {
  layer: number;
  /** f32 [T, heads, headDim], normed and rotated. */
  q: Float32Array;
  /** f32 [T, kvHeads, headDim] each. */
  k: Float32Array;
  v: Float32Array;
  /** f32 [T, heads, headDim], before the output projection. */
  output: Float32Array;
}

export interface ObserveOptions {
  backend: Backend;
  model: ModelConfig;
  parameters: ModelVariables;
  /** One row; latents as the model shall see them. */
  packed: PackedBatch;
  /** Of every slot of every group: f32 [slots]. */
  timesteps: readonly Float32Array[];
  /** Which layers, from 0. */
  layers: readonly number[];
}

export async function observeAttention(options: ObserveOptions): Promise<LayerArrays[]> {
  const { backend, model, parameters, packed, timesteps, layers } = options;
  const { tokens, positions, columns, begin, end, groups } = packed;
  const row = i32(1, packed.sequenceLength);
  const compiled = await compile({
    backend,
    name: 'observe attention',
    inputs: {
      ...{ tokens: row, positions: row, ...(columns ? { columns: row } : {}), begin: row, end: row },
      images: groups.map(({ height, width, slots, patches, latents }) => ({
        latents: f32(slots, height, width, latents.length / (slots * height * width)),
        ...{ timesteps: f32(slots), patchIndex: row, patchPositions: i32(slots, patches) },
      })),
    },
    state: { parameters },
    fn: (inputs, state) => {
      const seen = new Map<number, ObservedAttention>();
      forward(model, state.parameters, inputs, { observe: (layer, attention) => void seen.set(layer, attention) });
      return { outputs: layers.map((layer): Record<keyof ObservedAttention, Tensor> => seen.get(layer)!) };
    },
  });
  try {
    const arrays = await compiled.run({
      ...{ tokens, positions, ...(columns ? { columns } : {}), begin, end },
      images: groups.map(({ latents, patchIndex, patchPositions }, group) => {
        return { latents, patchIndex, patchPositions, timesteps: timesteps[group] };
      }),
    });
    return arrays.map((each, i) => ({ layer: layers[i], ...each }));
  } finally {
    compiled.dispose();
  }
}
