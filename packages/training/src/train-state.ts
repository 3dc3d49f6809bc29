/** @file What persists between steps: weights, moments, averages, and what an objective adds. */
import { TransfusionError } from '@transfusion/core';
import {
  createLossScale,
  createParameters,
  initialise,
  isParameterSpec,
  type LossScale,
  type ParameterSpec,
} from '@transfusion/nn';
import {
  type Backend,
  createVariable,
  flattenTree,
  isVariable,
  mapTree,
  type Precision,
  showShape,
  sizeOf,
  type Variable,
} from '@transfusion/tensor';
import type { Phase } from './objective.js';

/** Parameters and their moments. */
export interface Optimised<Parameters = unknown> {
  parameters: Parameters;
  m: Parameters;
  v: Parameters;
}

/** Trees of the same form as an objective's parameters, with variables (or, in the graph, tensors) as leaves. */
export interface TrainState<Parameters = unknown, Leaf = Variable> extends Optimised<Parameters> {
  /** The moving average of the parameters: what is kept in the end. */
  ema: Parameters;
  /** Where an objective has one. */
  discriminator?: Optimised;
  /** Where an objective counts something. */
  counters?: Record<string, Leaf>;
  /** Sum of gradients, where batches are accumulated. */
  gradients?: Parameters;
  /** Where the precision is f16. */
  lossScale?: LossScale<Leaf>;
  /** Weights that are not trained. */
  constants?: unknown;
}

/** A weight that is not trained. */
export interface ConstantWeight {
  shape: readonly number[];
  data: Float32Array;
}

/** Contents by path, such as `m.norm`: under `parameters`, `m`, `v`, `ema`, `discriminator`, `counters`, `lossScale`. */
export type StateValues = ReadonlyMap<string, Float32Array>;

export interface StateOptions {
  /** Micro-batches of a step. */
  accumulation: number;
  precision?: Precision;
}

/** The shapes of what a checkpoint holds, apart from the scale of the loss. */
function persistentSpec(phases: readonly Phase[]) {
  const objectives = phases.map(({ objective }) => objective);
  const optimised = (specs: unknown) => ({ parameters: specs, m: specs, v: specs });
  const [{ parameters }] = objectives;
  const discriminator = objectives.find((each) => each.discriminator)?.discriminator;
  const counters = objectives.find((each) => each.counters)?.counters;
  return {
    ...optimised(parameters),
    ema: parameters,
    ...(discriminator ? { discriminator: optimised(discriminator) } : {}),
    ...(counters ? { counters } : {}),
  };
}

/** Variables of a run. */
export function createTrainState(
  backend: Backend,
  phases: readonly Phase[],
  {
    accumulation,
    precision,
    values,
    constants,
  }: StateOptions & {
    /** Zeros where there are none. */
    values: StateValues;
    /** A tree of `ConstantWeight`. */
    constants?: unknown;
  },
): TrainState {
  const spec = persistentSpec(phases);
  const state = createParameters(backend, spec, values) as unknown as TrainState;
  if (accumulation > 1) state.gradients = createParameters(backend, spec.parameters);
  if (precision === 'f16') state.lossScale = createLossScale(backend, scaleOf(values));
  if (constants) state.constants = mapTree(constants, isConstantWeight, (each) => createVariable(backend, each));
  return state;
}

export function destroyTrainState(state: TrainState): void {
  for (const variable of flattenTree<Variable>(state, isVariable).values()) variable.destroy();
}

const isArray = (value: unknown): value is Float32Array => value instanceof Float32Array;
const isConstantWeight = (value: unknown): value is ConstantWeight =>
  isArray((value as Partial<ConstantWeight> | null)?.data);

/**
 * What a new run starts from: random weights, a pure function of the seed, in the place of which `given` may have some.
 * @param given by path of a parameter
 */
export function initialValues(
  phases: readonly Phase[],
  seed: number,
  given: StateValues = new Map(),
): Map<string, Float32Array> {
  const { parameters, discriminator } = persistentSpec(phases);
  // One call for both, so that they do not start with the same numbers.
  const random = initialise({ parameters, discriminator: discriminator?.parameters }, seed);
  const values = new Map<string, Float32Array>();
  for (const [path, own] of flattenTree<Float32Array>(random.parameters, isArray)) {
    for (const part of ['parameters', 'ema']) values.set(`${part}.${path}`, given.get(path) ?? own);
  }
  for (const [path, own] of flattenTree<Float32Array>(random.discriminator, isArray)) {
    values.set(`discriminator.parameters.${path}`, own);
  }
  return values;
}

const SCALE_NAMES = ['lossScale.scale', 'lossScale.goodSteps'];

/** @throws TransfusionError CHECKPOINT_FOREIGN naming the tensor that is missing, unknown or of another size */
export function checkStateValues(phases: readonly Phase[], values: StateValues): void {
  const specs = flattenTree<ParameterSpec>(persistentSpec(phases), isParameterSpec);
  for (const [path, { shape }] of specs) checkSize(values, path, shape);
  for (const name of values.keys()) {
    if (!specs.has(name) && !SCALE_NAMES.includes(name)) throw foreign(`${name} is not a tensor of this model`);
  }
  // A run that was trained in f32 so far has none.
  if (SCALE_NAMES.some((name) => values.has(name))) for (const name of SCALE_NAMES) checkSize(values, name, [1]);
}

function scaleOf(values: StateValues): { scale: number; goodSteps: number } | undefined {
  const [scale, goodSteps] = SCALE_NAMES.map((name) => values.get(name)?.[0]);
  return scale === undefined || goodSteps === undefined ? undefined : { scale, goodSteps };
}

function checkSize(values: StateValues, name: string, shape: readonly number[]): void {
  const data = values.get(name);
  if (!data) throw foreign(`${name} is missing`);
  if (data.length === sizeOf(shape)) return;
  throw foreign(`${name} has ${data.length} elements, the configuration asks for ${showShape(shape)}`);
}

function foreign(why: string): TransfusionError {
  const file = why.startsWith('ema.') ? 'model.safetensors' : 'optimizer.safetensors';
  return new TransfusionError({
    code: 'CHECKPOINT_FOREIGN',
    message: `the checkpoint's ${file} does not fit its configuration: ${why.replace(/^ema\./, '')}`,
    fix: 'give the folder of a run as the trainer wrote it',
  });
}
