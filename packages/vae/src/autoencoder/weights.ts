/** @file Weights between files in diffusers' form and this package's parameters. */
import { describeKind, TransfusionError, tagOf } from '@transfusion/core';
import {
  filterFromStored,
  filterToStored,
  isParameterSpec,
  type ParameterSpec,
  storedFilterShape,
} from '@transfusion/nn';
import { flattenTree, type Shape, showShape, sizeOf } from '@transfusion/tensor';
import { firstNotFinite } from '../finite.js';
import type { AutoencoderConfig } from './config.js';
import { identifyNames } from './foreign-names.js';
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
 * @param options.where names the file in errors
 * @throws TransfusionError CODEC_WEIGHTS: a tensor is missing, is no Float32Array, has another shape, has NaN or an
 *   infinity, or belongs to no part of the model (with what the file is, where its names tell)
 */
export function importWeights(options: {
  config: AutoencoderConfig;
  tensors: ReadonlyMap<string, StoredTensor>;
  where?: string;
}): Map<string, Float32Array> {
  const { config, tensors, where = 'weights' } = options;
  if (tagOf(tensors) !== 'Map') {
    throw weightsError(
      `${where}: tensors are ${describeKind(tensors)}, expected a Map from names to { shape, data }`,
      'give new Map(Object.entries(tensors))',
    );
  }
  const specs = flattenTree<ParameterSpec>(autoencoderSpec(config), isParameterSpec);
  const found = new Map([...tensors].map(([name, tensor]) => [currentName(name), { name, tensor }]));
  const foreign = [...found].find(([path]) => !specs.has(path));
  if (foreign) {
    const { is, fix } = identifyNames([...tensors.keys()], config._class_name) ?? {};
    throw weightsError(
      `${where} has a tensor ${foreign[1].name}, and config.json describes a ${config._class_name} without it${is ? `: ${is}` : ''}`,
      fix,
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

/**
 * Parameters, by path, as the tensors of a file in diffusers' form.
 *
 * @throws TransfusionError CODEC_WEIGHTS: a parameter is missing, is no Float32Array, or has another number of values
 */
export function exportWeights(options: {
  config: AutoencoderConfig;
  values: ReadonlyMap<string, Float32Array>;
}): Map<string, { shape: number[]; data: Float32Array }> {
  const specs = flattenTree<ParameterSpec>(autoencoderSpec(options.config), isParameterSpec);
  return new Map(
    [...specs].map(([path, { shape }]) => {
      const data = options.values.get(path);
      if (tagOf(data) !== 'Float32Array' || data?.length !== sizeOf(shape)) {
        const given = tagOf(data) === 'Float32Array' ? `has ${data?.length} values` : `is ${describeKind(data)}`;
        throw weightsError(
          `exportWeights: ${path} ${given}, expected a Float32Array of ${showShape(shape)} = ${sizeOf(shape)}`,
          'give the values of every parameter of autoencoderSpec(config), by its path',
        );
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
  if (tagOf(data) !== 'Float32Array') {
    throw weightsError(
      `${where}: its data are ${describeKind(data)}, expected a Float32Array`,
      'give Float32Array.from(data)',
    );
  }
  // A linear layer may be kept as a 1x1 convolution.
  const isPointwise = expected.length === 2 && shape.length === 4 && shape[2] === 1 && shape[3] === 1;
  const given = isPointwise ? shape.slice(0, 2) : shape;
  if (given.length !== stored.length || given.some((length, axis) => length !== stored[axis])) {
    throw weightsError(`${where} is ${showShape(shape)}, config.json makes it ${showShape(stored)}`);
  }
  if (data.length !== sizeOf(stored)) {
    throw weightsError(
      `${where} has ${data.length} values, its shape ${showShape(shape)} makes ${sizeOf(stored)}`,
      'give all values of the tensor',
    );
  }
  const at = firstNotFinite(data);
  if (at >= 0) {
    throw weightsError(
      `${where} has ${data[at]} at value ${at} of ${showShape(shape)}`,
      'such weights draw nothing: its training diverged, or it overflowed when it was converted to f16; take an earlier checkpoint, or the f32 weights',
    );
  }
  return expected.length === 4 ? filterFromStored(data, expected) : data;
}

function weightsError(
  message: string,
  fix = 'config.json and the weights are of different models: take both from one folder',
): TransfusionError {
  return new TransfusionError({ code: 'CODEC_WEIGHTS', message, fix });
}
