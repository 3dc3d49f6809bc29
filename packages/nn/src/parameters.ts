/** @file Parameters: what a model needs, their initial values, and the variables that hold them. */
import {
  type Backend,
  BYTES_PER_ELEMENT,
  createVariables,
  flattenTree,
  formatBytes,
  type MapTree,
  mapTree,
  OutOfMemoryError,
  PhiloxStream,
  type Shape,
  showShape,
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
  return mapTree(specs, isParameterSpec, (spec) => initialValue(spec, seed, index++));
}

/** The same, one parameter at a time, so that memory need not hold more: path, spec and values, made when asked for. */
export function* initialised(
  specs: unknown,
  seed: number,
): Generator<{ path: string; spec: ParameterSpec; values: () => Float32Array }> {
  let index = 0;
  for (const [path, spec] of flattenTree<ParameterSpec>(specs, isParameterSpec)) {
    const own = index++;
    yield { path, spec, values: () => initialValue(spec, seed, own) };
  }
}

function initialValue({ shape, initialiser }: ParameterSpec, seed: number, index: number): Float32Array {
  const stream = new PhiloxStream(seed, INITIALISATION, index);
  const data = new Float32Array(sizeOf(shape));
  if (initialiser.kind === 'constant') return data.fill(initialiser.value);
  for (let i = 0; i < data.length; i++) data[i] = initialiser.std * stream.normal();
  return data;
}

/**
 * Variables for a tree of parameters, with the given contents by path (or zeros).
 * @throws OutOfMemoryError naming a parameter that the backend has no buffer for, before any is allocated
 */
export function createParameters<T>(
  backend: Backend,
  specs: T,
  values?: ReadonlyMap<string, Float32Array>,
): MapTree<T, ParameterSpec, Variable> {
  checkBuffers(backend, specs);
  const flat = [...flattenTree<ParameterSpec>(specs, isParameterSpec)];
  const variables = createVariables(
    backend,
    flat.map(([, { shape }]) => ({ shape })),
  );
  const byPath = new Map(flat.map(([path], i) => [path, variables[i]]));
  for (const [path, variable] of byPath) {
    // One at a time: values may be made when they are asked for.
    const data = values?.get(path);
    if (data) variable.write(data);
  }
  return mapTree(specs, isParameterSpec, (_, path) => byPath.get(path)!);
}

function checkBuffers({ limits: { maxBufferBytes } }: Backend, specs: unknown): void {
  for (const [path, { shape }] of flattenTree<ParameterSpec>(specs, isParameterSpec)) {
    const bytes = sizeOf(shape) * BYTES_PER_ELEMENT;
    if (bytes <= maxBufferBytes) continue;
    throw new OutOfMemoryError({
      message: `${path} ${showShape(shape)} needs ${formatBytes(bytes)}; a buffer of this device has at most ${formatBytes(maxBufferBytes)} (on WebGPU: maxStorageBufferBindingSize), and a tensor is not split over several`,
      fix: `here a parameter may have up to ${Math.floor(maxBufferBytes / BYTES_PER_ELEMENT).toLocaleString('en')} values: use a narrower model, a smaller vocabulary where it is an embedding or the language head, or a device with larger buffers`,
    });
  }
}
