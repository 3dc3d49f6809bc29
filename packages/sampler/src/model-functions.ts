/** @file The two compiled functions of decoding: reading tokens, and predicting patches. Both fill the KV cache. */
import { type Backend, compile, constant, f32, gather, i32, type Variable } from '@transfusion/tensor';
import {
  forward,
  languageLogits,
  type ModelConfig,
  predictPatches,
  type TransfusionParameters,
} from '@transfusion/transformer';

/** Keys and values of every layer, [rows * capacity, kvHeads, headDim] each. */
export type CacheVariables = { key: Variable; value: Variable }[];

export interface FunctionOptions {
  backend: Backend;
  config: ModelConfig;
  parameters: TransfusionParameters<Variable>;
  layers: CacheVariables;
  /** How many sequences one call serves: all rows of the cache, or 1, which then sees the cache as one long row. */
  batch: number;
}

/** Positions of a call, [batch, queries]: see `SequenceInputs` and `CacheContext` of @transfusion/transformer. */
function positionSpecs(batch: number, queries: number) {
  const spec = i32(batch, queries);
  return { positions: spec, begin: spec, end: spec, rows: spec };
}

/** Tokens [batch, queries] to the next-token logits [batch, vocabulary] after position `last` [batch] of batch * queries. */
export function compileTokenFunction({ queries, ...options }: FunctionOptions & { queries: number }) {
  const { backend, config, parameters, layers, batch } = options;
  return compile({
    backend,
    name: `tokens ${batch}x${queries}`,
    inputs: { ...positionSpecs(batch, queries), tokens: i32(batch, queries), last: i32(batch) },
    state: { parameters, layers },
    fn: ({ rows, last, ...given }, state) => {
      const inputs = { ...given, patchIndex: constant(new Int32Array(batch * queries).fill(-1), [batch, queries]) };
      const { hidden, cache } = forward(config, state.parameters, inputs, { cache: { rows, layers: state.layers } });
      const lastHidden = gather(hidden.reshape([-1, config.channels]), last);
      return { outputs: { logits: languageLogits(state.parameters, lastHidden) }, updates: { layers: cache } };
    },
  });
}
export type TokenFunction = Awaited<ReturnType<typeof compileTokenFunction>>;

/** One image of `patches` patches per sequence: latents [batch, patches, patchValues] to the model's prediction. */
export function compilePatchFunction({ patches, ...options }: FunctionOptions & { patches: number }) {
  const { backend, config, parameters, layers, batch } = options;
  return compile({
    backend,
    name: `patches ${batch}x${patches}`,
    inputs: {
      ...positionSpecs(batch, patches),
      latents: f32(batch, patches, config.patchValues),
      timesteps: f32(batch),
    },
    state: { parameters, layers },
    fn: ({ rows, latents, ...positions }, state) => {
      const patchIndex = constant(
        Int32Array.from({ length: batch * patches }, (_, i) => i),
        [batch, patches],
      );
      const tokens = constant(new Int32Array(batch * patches).fill(-1), [batch, patches]);
      const inputs = { ...positions, tokens, patchIndex, patches: latents };
      const { hidden, cache } = forward(config, state.parameters, inputs, { cache: { rows, layers: state.layers } });
      return {
        outputs: { prediction: predictPatches(state.parameters, hidden, patchIndex) },
        updates: { layers: cache },
      };
    },
  });
}
export type PatchFunction = Awaited<ReturnType<typeof compilePatchFunction>>;
