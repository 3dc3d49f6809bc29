/** @file Reading tokens and predicting patches, compiled. Both fill the KV cache. `denoiser.ts` has the denoising step. */
import { patchCount } from '@transfusion/data';
import {
  type Backend,
  compile,
  constant,
  f32,
  gather,
  i32,
  type MapTree,
  type Tensor,
  type TensorSpec,
  type Variable,
} from '@transfusion/tensor';
import {
  forward,
  type LayerCache,
  languageLogits,
  type ModelConfig,
  type ModelVariables,
  predictLatents,
  type TransfusionParameters,
} from '@transfusion/transformer';
import type { LatentShape } from '@transfusion/vae';

/** Keys and values of every layer, [rows * capacity, kvHeads, headDim] each. */
export type CacheVariables = { key: Variable; value: Variable }[];

export interface FunctionOptions {
  backend: Backend;
  config: ModelConfig;
  parameters: ModelVariables;
  layers: CacheVariables;
  /** How many sequences one call serves, at most: which rows of the cache they are is data. */
  batch: number;
}

/** Positions of a call, [batch, queries]: see `SequenceInputs` and `CacheContext` of @transfusion/transformer. */
export function positionSpecs(batch: number, queries: number) {
  const spec = i32(batch, queries);
  return { positions: spec, begin: spec, end: spec, rows: spec };
}

/** Positions of a call on one image per sequence. */
export function imagePositionSpecs({ imagePositions }: ModelConfig, batch: number, patches: number) {
  const specs = positionSpecs(batch, patches);
  return { ...specs, ...(imagePositions === '2d' ? { columns: specs.positions } : {}) };
}

/** Tokens [batch, queries] to the next-token logits [batch, vocabulary] after position `last` [batch] of batch * queries. */
export function compileTokenFunction({ queries, ...options }: FunctionOptions & { queries: number }) {
  const { backend, config, parameters, layers, batch } = options;
  return compile({
    backend,
    name: `tokens ${batch}x${queries}`,
    inputs: { ...positionSpecs(batch, queries), tokens: i32(batch, queries), last: i32(batch) },
    state: { parameters, layers },
    fn: ({ rows, last, ...inputs }, state) => {
      const { hidden, cache } = forward(config, state.parameters, inputs, { cache: { rows, layers: state.layers } });
      const lastHidden = gather(hidden.reshape([-1, config.channels]), last);
      return { outputs: { logits: languageLogits(state.parameters, lastHidden) }, updates: { layers: cache } };
    },
  });
}
export type TokenFunction = Awaited<ReturnType<typeof compileTokenFunction>>;

/** One image per sequence: latents [batch, height, width, channels] to the model's prediction. */
export function compilePatchFunction({ latent, ...options }: FunctionOptions & { latent: LatentShape }) {
  const { backend, config, parameters, layers, batch } = options;
  const patches = patchCount(latent, config.patchSize);
  return compile({
    backend,
    name: `patches ${batch}x${patches}`,
    inputs: {
      ...imagePositionSpecs(config, batch, patches),
      latents: f32(batch, latent.height, latent.width, latent.channels),
      timesteps: f32(batch),
    },
    state: { parameters, layers },
    fn: (inputs, state) => {
      const { prediction, cache } = predictInGraph(config, state, inputs);
      return { outputs: { prediction }, updates: { layers: cache } };
    },
  });
}
export type PatchFunction = Awaited<ReturnType<typeof compilePatchFunction>>;

/** The model's prediction for one image per sequence, like `latents`, and the cache with the image's keys and values. */
export function predictInGraph(
  config: ModelConfig,
  state: { parameters: TransfusionParameters<Tensor>; layers: LayerCache[] },
  inputs: MapTree<ReturnType<typeof imagePositionSpecs>, TensorSpec, Tensor> & { latents: Tensor; timesteps: Tensor },
): { prediction: Tensor; cache: LayerCache[] } {
  const { rows, latents, timesteps, ...given } = inputs;
  const [batch, height, width] = latents.shape;
  const patches = patchCount({ height, width }, config.patchSize);
  const count = batch * patches;
  // Patch i of image b is at position i of sequence b, and nothing else is there.
  const places = constant(
    Int32Array.from({ length: count }, (_, i) => i),
    [batch, patches],
  );
  const sequence = { ...given, images: [{ latents, timesteps, patchIndex: places, patchPositions: places }] };
  const { hidden, groups, cache } = forward(config, state.parameters, sequence, {
    cache: { rows, layers: state.layers },
  });
  return { prediction: predictLatents(hidden, groups[0]), cache };
}
