/** @file Weights between files in diffusers' form and this package's parameters. */
import {
  filterFromStored,
  filterToStored,
  isParameterSpec,
  type ParameterSpec,
  storedFilterShape,
} from '@transfusion/nn';
import { flattenTree, type Shape, showShape, sizeOf, TransfusionError } from '@transfusion/tensor';
import type { AutoencoderConfig } from './config.js';
import { autoencoderSpec } from './parameters.js';

/** A tensor of a file. */
export interface StoredTensor {
  shape: readonly number[];
  data: Float32Array;
}

/** Attention's projections as diffusers named them until version 0.17, linear or as 1x1 convolutions. */
const OLD_NAMES: Record<string, string> = { query: 'to_q', key: 'to_k', value: 'to_v', proj_attn: 'to_out.0' };

function currentName(name: string): string {
  return name.replace(
    /(\.attentions\.\d+\.)(query|key|value|proj_attn)(?=\.(weight|bias)$)/,
    (_, before: string, old: string) => before + OLD_NAMES[old],
  );
}

/**
 * A file's tensors as parameters, by path: filters in this package's order, old names of attention made new.
 *
 * @param where names the file in errors
 * @throws TransfusionError CODEC_WEIGHTS: a tensor is missing, has another shape, or belongs to no part of the model
 */
export function importWeights(options: {
  config: AutoencoderConfig;
  tensors: ReadonlyMap<string, StoredTensor>;
  where?: string;
}): Map<string, Float32Array> {
  const { config, tensors, where = 'weights' } = options;
  const specs = flattenTree<ParameterSpec>(autoencoderSpec(config), isParameterSpec);
  const found = new Map([...tensors].map(([name, tensor]) => [currentName(name), { name, tensor }]));
  const foreign = [...found].find(([path]) => !specs.has(path));
  if (foreign) {
    throw weightsError(
      `${where} has a tensor ${foreign[1].name}, and config.json describes a ${config._class_name} without it`,
    );
  }
  return new Map(
    [...specs].map(([path, spec]) => {
      const entry = found.get(path);
      if (!entry) throw weightsError(`${where} has no tensor ${path} ${showShape(storedShape(spec.shape))}`);
      return [path, parameterOf(entry.tensor, spec.shape, `${where}: ${entry.name}`)];
    }),
  );
}

/** Parameters, by path, as the tensors of a file in diffusers' form. */
export function exportWeights(options: {
  config: AutoencoderConfig;
  values: ReadonlyMap<string, Float32Array>;
}): Map<string, { shape: number[]; data: Float32Array }> {
  const specs = flattenTree<ParameterSpec>(autoencoderSpec(options.config), isParameterSpec);
  return new Map(
    [...specs].map(([path, { shape }]) => {
      const data = options.values.get(path);
      if (data?.length !== sizeOf(shape)) {
        throw weightsError(`exportWeights: ${path} has ${data?.length ?? 'no'} values, expected ${showShape(shape)}`);
      }
      return [path, { shape: storedShape(shape), data: shape.length === 4 ? filterToStored(data, shape) : data }];
    }),
  );
}

function storedShape(shape: Shape): number[] {
  return shape.length === 4 ? storedFilterShape(shape) : [...shape];
}

function parameterOf({ shape, data }: StoredTensor, expected: Shape, where: string): Float32Array {
  const stored = storedShape(expected);
  // A linear layer may be kept as a 1x1 convolution.
  const isPointwise = expected.length === 2 && shape.length === 4 && shape[2] === 1 && shape[3] === 1;
  const given = isPointwise ? shape.slice(0, 2) : shape;
  if (given.length !== stored.length || given.some((length, axis) => length !== stored[axis])) {
    throw weightsError(`${where} is ${showShape(shape)}, config.json makes it ${showShape(stored)}`);
  }
  if (data.length !== sizeOf(stored)) {
    throw weightsError(`${where} has ${data.length} values, its shape ${showShape(shape)} makes ${sizeOf(stored)}`);
  }
  return expected.length === 4 ? filterFromStored(data, expected) : data;
}

function weightsError(message: string): TransfusionError {
  return new TransfusionError({
    code: 'CODEC_WEIGHTS',
    message,
    fix: 'config.json and the weights are of different models, or a download broke off: fetch the folder again, whole',
  });
}
