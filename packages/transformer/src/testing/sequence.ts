/** @file Sequences written as text, their attention intervals, and random weights, for tests. */
import { isParameterSpec } from '@transfusion/nn';
import { constant, mapTree, PhiloxStream, sizeOf } from '@transfusion/tensor';
import {
  type ModelConfig,
  modelConfigSchema,
  type SequenceInputs,
  type TransfusionParameters,
  transfusionSpec,
} from '../index.js';

export const PATCHES = 4;

/** Two blocks, grouped key and value heads, 4 patches of 3 values per image. */
export function tinyConfig(changes: Partial<ModelConfig> = {}): ModelConfig {
  return modelConfigSchema.parse({
    vocabularySize: 20,
    layers: 2,
    channels: 16,
    heads: 4,
    kvHeads: 2,
    feedForward: 12,
    patchValues: 3,
    maxPositions: 32,
    timestepDimensions: 8,
    ...changes,
  });
}

/** Weights in which nothing is zero: not the prediction head, no bias, no part of the time conditioning. */
export function randomWeights(config: ModelConfig, seed = 1): TransfusionParameters<Float32Array> {
  let index = 0;
  return mapTree(transfusionSpec(config), isParameterSpec, ({ shape, initialiser }) => {
    const stream = new PhiloxStream(seed, index++);
    const center = initialiser.kind === 'constant' ? initialiser.value : 0;
    return Float32Array.from({ length: sizeOf(shape) }, () => center + 0.3 * stream.normal());
  });
}

export function asTensors(config: ModelConfig, weights: TransfusionParameters<Float32Array>): TransfusionParameters {
  const isArray = (value: unknown): value is Float32Array => value instanceof Float32Array;
  const shapes = new Map<string, readonly number[]>();
  mapTree(transfusionSpec(config), isParameterSpec, ({ shape }, path) => shapes.set(path, shape));
  return mapTree(weights, isArray, (data, path) => constant(data, shapes.get(path)!));
}

/** A row of a batch: per position a token or a patch, a rotary position, and the run of keys that it sees. */
export interface Row {
  tokens: number[];
  patchIndex: number[];
  positions: number[];
  /** With 2-D positions; else those along the sequence. */
  columns?: number[];
  begin: number[];
  end: number[];
}

/**
 * From text such as `ttBiiiiEt`: t a token, B BOI, i a patch (four to an image), E EOI, | the start of another document.
 * Intervals follow the paper's section 3.3: everything before in the document, and for a patch all of its own image.
 */
export function rowOf(layout: string, firstImage = 0): Row {
  const row: Row = { tokens: [], patchIndex: [], positions: [], begin: [], end: [] };
  let [document, patch] = [0, firstImage * PATCHES];
  for (const each of layout) {
    const at = row.tokens.length;
    if (each === '|') {
      document = at;
      continue;
    }
    const within = each === 'i' ? patch % PATCHES : 0;
    row.tokens.push(each === 'i' ? -1 : each === 'B' ? 1 : each === 'E' ? 2 : 3 + ((at * 7) % 17));
    row.patchIndex.push(each === 'i' ? patch++ : -1);
    row.positions.push(at - document);
    row.begin.push(document);
    row.end.push(each === 'i' ? at - within + PATCHES : at + 1);
  }
  return row;
}

/** Inputs for `forward`, from rows of equal length. */
export function inputsOf(
  rows: readonly Row[],
  images?: { patches: Float32Array; timesteps: readonly number[] },
): SequenceInputs {
  const shape = [rows.length, rows[0].tokens.length];
  const integers = (field: keyof Row) => constant(Int32Array.from(rows.flatMap((row) => row[field]!)), shape);
  const inputs: SequenceInputs = {
    tokens: integers('tokens'),
    positions: integers('positions'),
    ...(rows[0].columns ? { columns: integers('columns') } : {}),
    begin: integers('begin'),
    end: integers('end'),
  };
  if (!images) return inputs;
  const count = images.timesteps.length;
  // Patches of one pixel: an image is 2 x 2 of them.
  const latents = constant(images.patches, [count, 2, 2, images.patches.length / count / PATCHES]);
  const timesteps = constant(Float32Array.from(images.timesteps), [count]);
  const patchIndex = rows.flatMap((row) => row.patchIndex);
  const places = Array.from({ length: count * PATCHES }, (_, patch) => patchIndex.indexOf(patch));
  const patchPositions = constant(Int32Array.from(places), [count, PATCHES]);
  return { ...inputs, images: [{ latents, timesteps, patchIndex: integers('patchIndex'), patchPositions }] };
}

export function randomPatches(config: ModelConfig, images: number, seed = 5): Float32Array {
  const stream = new PhiloxStream(seed);
  return Float32Array.from({ length: images * PATCHES * config.patchValues }, () => stream.normal());
}
