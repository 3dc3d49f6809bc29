/** @file The model of the decoding rows, with keys and values cached. */
import { createParameters, initialise } from '@transfusion/nn';
import {
  type Backend,
  compile,
  constant,
  createVariable,
  f32,
  flattenTree,
  gather,
  i32,
  type Variable,
} from '@transfusion/tensor';
import {
  forward,
  languageLogits,
  type ModelConfig,
  modelConfigSchema,
  predictLatents,
  type TransfusionParameters,
  transfusionSpec,
} from '@transfusion/transformer';

/** The training step's model, with room for long sequences. */
export const MODEL: ModelConfig = modelConfigSchema.parse({
  vocabularySize: 512,
  layers: 6,
  channels: 256,
  heads: 4,
  patchSize: 2,
  patchValues: 32,
  maxPositions: 2048,
});
/** A latent image, [height, width, channels], and its patches. */
export const LATENT = [16, 16, 8] as const;
export const PATCHES = 64;

const isArray = (value: unknown): value is Float32Array => value instanceof Float32Array;

export function decodingParameters(backend: Backend): TransfusionParameters<Variable> {
  const specs = transfusionSpec(MODEL);
  return createParameters(backend, specs, flattenTree<Float32Array>(initialise(specs, 1), isArray));
}

export type Cache = { key: Variable; value: Variable }[];

/** Keys and values of every layer for `positions` positions of one sequence. */
export function createCache(backend: Backend, positions: number): Cache {
  const shape = [positions, MODEL.heads, MODEL.channels / MODEL.heads];
  return Array.from({ length: MODEL.layers }, () => ({
    key: createVariable(backend, { shape }),
    value: createVariable(backend, { shape }),
  }));
}

/** Positions from `first` on: `end(position)` is the first one that a position does not see. */
export function positionArrays(first: number, count: number, end: (position: number) => number) {
  const positions = Int32Array.from({ length: count }, (_, i) => first + i);
  return { positions, begin: new Int32Array(count), end: positions.map(end), rows: positions };
}

export interface DecodingOptions {
  backend: Backend;
  parameters: TransfusionParameters<Variable>;
  cache: Cache;
  /** Positions of a call. */
  queries: number;
}

function positionSpecs(queries: number) {
  const spec = i32(1, queries);
  return { positions: spec, begin: spec, end: spec, rows: spec };
}

/** Reads tokens behind what the cache holds; gives the logits after the last. */
export function compileTokens({ backend, parameters, cache, queries }: DecodingOptions) {
  return compile({
    backend,
    name: 'tokens',
    inputs: { ...positionSpecs(queries), tokens: i32(1, queries) },
    state: { parameters, layers: cache },
    fn: ({ rows, ...given }, state) => {
      const { hidden, cache: layers } = forward(MODEL, state.parameters, given, {
        cache: { rows, layers: state.layers },
      });
      const last = gather(hidden.reshape([queries, MODEL.channels]), constant(Int32Array.of(queries - 1), [1]));
      return { outputs: { logits: languageLogits(state.parameters, last) }, updates: { layers } };
    },
  });
}

/** Predicts the noise of an image behind what the cache holds. */
export function compilePatches({ backend, parameters, cache }: Omit<DecodingOptions, 'queries'>) {
  return compile({
    backend,
    name: 'patches',
    inputs: { ...positionSpecs(PATCHES), latents: f32(1, ...LATENT), timesteps: f32(1) },
    state: { parameters, layers: cache },
    fn: ({ rows, latents, timesteps, ...given }, state) => {
      const patchIndex = constant(
        Int32Array.from({ length: PATCHES }, (_, i) => i),
        [1, PATCHES],
      );
      const inputs = { ...given, images: [{ latents, timesteps, patchIndex, patchPositions: patchIndex }] };
      const { hidden, groups, cache } = forward(MODEL, state.parameters, inputs, {
        cache: { rows, layers: state.layers },
      });
      return {
        outputs: { prediction: predictLatents(hidden, groups[0]) },
        updates: { layers: cache },
      };
    },
  });
}

/** The same prediction from the whole sequence: `prefix` tokens, then the image's patches. */
export function compileWhole({ backend, parameters }: Pick<DecodingOptions, 'backend' | 'parameters'>, prefix: number) {
  const length = prefix + PATCHES;
  const { rows, ...positions } = positionSpecs(length);
  return compile({
    backend,
    name: 'whole sequence',
    inputs: {
      ...positions,
      tokens: rows,
      patchIndex: rows,
      latents: f32(1, ...LATENT),
      timesteps: f32(1),
    },
    state: { parameters },
    fn: ({ latents, timesteps, patchIndex, ...given }, state) => {
      const patchPositions = constant(
        Int32Array.from({ length: PATCHES }, (_, i) => prefix + i),
        [1, PATCHES],
      );
      const images = [{ latents, timesteps, patchIndex, patchPositions }];
      const { hidden, groups } = forward(MODEL, state.parameters, { ...given, images });
      return { outputs: { prediction: predictLatents(hidden, groups[0]) } };
    },
  });
}
