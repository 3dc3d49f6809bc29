/** @file Trees of parameters from PyTorch's files, and results in PyTorch's order. */
import {
  createParameters,
  filterFromStored,
  filterToStored,
  isParameterSpec,
  type ParameterSpec,
} from '@transfusion/nn';
import {
  type Backend,
  constant,
  flattenTree,
  type MapTree,
  mapTree,
  sizeOf,
  type Tensor,
  type Variable,
} from '@transfusion/tensor';
import type { Golden } from './fixtures.js';

type Spec = ParameterSpec;

/** Variables of a backend, or constants where there is none, by the names of a file after a prefix; zeros without a file. */
export function storedParameters<T>(
  backend: Backend,
  specs: T,
  golden?: ReadonlyMap<string, Golden>,
  prefix?: string,
): MapTree<T, Spec, Variable>;
export function storedParameters<T>(
  backend: undefined,
  specs: T,
  golden?: ReadonlyMap<string, Golden>,
  prefix?: string,
): MapTree<T, Spec, Tensor>;
export function storedParameters<T>(
  backend: Backend | undefined,
  specs: T,
  golden?: ReadonlyMap<string, Golden>,
  prefix = '',
) {
  const values = new Map(
    [...flattenTree<Spec>(specs, isParameterSpec)].map(([path, { shape }]) => {
      const data = golden?.get(prefix + path)?.data ?? new Float32Array(sizeOf(shape));
      return [path, shape.length === 4 ? filterFromStored(data, shape) : data];
    }),
  );
  return backend
    ? createParameters(backend, specs, values)
    : mapTree(specs, isParameterSpec, ({ shape }, path) => constant(values.get(path)!, shape));
}

/** Arrays by path, filters in the order of files. */
export function storedOrder(specs: unknown, arrays: Record<string, Float32Array>): Map<string, Float32Array> {
  return new Map(
    [...flattenTree<Spec>(specs, isParameterSpec)].map(([path, { shape }]) => {
      return [path, shape.length === 4 ? filterToStored(arrays[path], shape) : arrays[path]];
    }),
  );
}
