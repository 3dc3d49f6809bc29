/** @file Parameters: what a model needs, their initial values, and the variables that hold them. */
import {
  type Backend,
  createVariable,
  flattenTree,
  type MapTree,
  mapTree,
  PhiloxStream,
  type Shape,
  sizeOf,
  type Variable,
} from '@transfusion/tensor';

/** How a parameter starts. */
export type Initialiser = { kind: 'normal'; std: number } | { kind: 'constant'; value: number };

/** The shape of a parameter, how it starts, whether weight decay applies to it, and whether it is the matrix of a linear layer. */
export class ParameterSpec {
  constructor(
    readonly shape: Shape,
    readonly initialiser: Initialiser,
    readonly decays: boolean,
    readonly isLinear = false,
  ) {}
}

export const isParameterSpec = (value: unknown): value is ParameterSpec => value instanceof ParameterSpec;

/** A weight matrix: normal with the given standard deviation, decayed. */
export function weight(shape: Shape, std: number): ParameterSpec {
  return new ParameterSpec(shape, { kind: 'normal', std }, true);
}

/** The matrix [outputs, inputs] of a layer that goes through `project`, so that adapters may be put on it. Else as `weight`. */
export function linearWeight(shape: Shape, std: number): ParameterSpec {
  return new ParameterSpec(shape, { kind: 'normal', std }, true, true);
}

/** A bias or gain, not decayed. */
export function vector(length: number, value = 0): ParameterSpec {
  return new ParameterSpec([length], { kind: 'constant', value }, false);
}

export function countParameters(specs: unknown): number {
  return [...flattenTree(specs, isParameterSpec).values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

/** Second counter word of these draws, far from the small stream numbers of random kernels under the same seed. */
const INITIALISATION = 0x6e6e_0001;

/** Initial values: a pure function of the seed and of the specs' order. */
export function initialise<T>(specs: T, seed: number): MapTree<T, ParameterSpec, Float32Array> {
  let index = 0;
  return mapTree(specs, isParameterSpec, ({ shape, initialiser }) => {
    const stream = new PhiloxStream(seed, INITIALISATION, index++);
    const data = new Float32Array(sizeOf(shape));
    if (initialiser.kind === 'constant') return data.fill(initialiser.value);
    for (let i = 0; i < data.length; i++) data[i] = initialiser.std * stream.normal();
    return data;
  });
}

/** Variables for a tree of parameters, with the given contents by path (or zeros). */
export function createParameters<T>(
  backend: Backend,
  specs: T,
  values?: ReadonlyMap<string, Float32Array>,
): MapTree<T, ParameterSpec, Variable> {
  return mapTree(specs, isParameterSpec, ({ shape }, path) =>
    createVariable(backend, { shape, data: values?.get(path) }),
  );
}
