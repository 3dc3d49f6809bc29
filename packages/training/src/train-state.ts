/** @file What persists between steps: weights, moments, averages, and what an objective adds. */
import { TransfusionError } from '@transfusion/core';
import {
  createLossScale,
  createParameters,
  initialised,
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
import { lazyValues } from './lazy-values.js';
import type { Phase } from './objective.js';
import { keptSums } from './ranks/tree-sum.js';

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
  /** Sums of gradients that are put aside while others are added up: see `sumActions`. */
  kept?: Parameters[];
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
  /** Micro-batches of a step; of ranks, those of this one. */
  accumulation: number;
  precision?: Precision;
  /** Where ranks share the work. */
  share?: StateShare;
}

/** What a rank has of the state besides all parameters and gradients. */
export interface StateShare {
  /** Whether it keeps the moments and the average of the parameter of this path. */
  owns(path: string): boolean;
  /** Whether it has room for the averages of all. */
  averages: 'owned' | 'all';
}

/** What a rank updates: trees by path. */
export interface OwnedState {
  owned: Pick<TrainState, 'parameters' | 'm' | 'v' | 'ema'>;
  /** Of all parameters. */
  gradients: unknown;
  lossScale?: LossScale<Variable>;
}

/** The shapes of what a checkpoint holds, apart from the scale of the loss. */
function persistentSpec(phases: readonly Phase[], share?: StateShare) {
  const objectives = phases.map(({ objective }) => objective);
  const [{ parameters }] = objectives;
  const owned = share ? ownedPart<ParameterSpec>(parameters, isParameterSpec, share) : parameters;
  const optimised = (specs: unknown, moments = specs) => ({ parameters: specs, m: moments, v: moments });
  const discriminator = objectives.find((each) => each.discriminator)?.discriminator;
  const counters = objectives.find((each) => each.counters)?.counters;
  return {
    ...optimised(parameters, owned),
    ema: share?.averages === 'owned' ? owned : parameters,
    ...(discriminator ? { discriminator: optimised(discriminator) } : {}),
    ...(counters ? { counters } : {}),
  };
}

/** The leaves that a rank owns, by path. */
function ownedPart<Leaf>(tree: unknown, leaf: (value: unknown) => value is Leaf, { owns }: StateShare) {
  return Object.fromEntries([...flattenTree<Leaf>(tree, leaf)].filter(([path]) => owns(path)));
}

/** What a rank updates, of a state that was created with this share. */
export function ownedState({ parameters, m, v, ema, gradients, lossScale }: TrainState, share: StateShare): OwnedState {
  const [ownParameters, ownM, ownV, ownEma] = [parameters, m, v, ema].map((tree) =>
    ownedPart<Variable>(tree, isVariable, share),
  );
  return { owned: { parameters: ownParameters, m: ownM, v: ownV, ema: ownEma }, gradients, lossScale };
}

/** Variables of a run. */
export function createTrainState(
  backend: Backend,
  phases: readonly Phase[],
  {
    accumulation,
    precision,
    share,
    values,
    constants,
  }: StateOptions & {
    /** Zeros where there are none. */
    values: StateValues;
    /** A tree of `ConstantWeight`. */
    constants?: unknown;
  },
): TrainState {
  const spec = persistentSpec(phases, share);
  const state = createParameters(backend, spec, values) as unknown as TrainState;
  const gradients = () => createParameters(backend, spec.parameters);
  if (accumulation > 1 || share) state.gradients = gradients();
  if (keptSums(accumulation) > 0) state.kept = Array.from({ length: keptSums(accumulation) }, gradients);
  if (precision === 'f16') state.lossScale = createLossScale(backend, scaleOf(values));
  if (constants) state.constants = mapTree(constants, isConstantWeight, (each) => createVariable(backend, each));
  return state;
}

export function destroyTrainState(state: TrainState): void {
  for (const variable of flattenTree<Variable>(state, isVariable).values()) variable.destroy();
}

const isConstantWeight = (value: unknown): value is ConstantWeight =>
  (value as Partial<ConstantWeight> | null)?.data instanceof Float32Array;

/**
 * What a new run starts from: random weights, a pure function of the seed, in the place of which `given` may have some. Made when they
 * are asked for: see `lazyValues`.
 * @param given by path of a parameter
 */
export function initialValues(phases: readonly Phase[], seed: number, given: StateValues = new Map()): StateValues {
  const { parameters, discriminator } = persistentSpec(phases);
  const makers = new Map<string, () => Float32Array>();
  let elements = 0;
  // One call for both, so that they do not start with the same numbers.
  for (const { path, spec, values } of initialised({ parameters, discriminator: discriminator?.parameters }, seed)) {
    elements += sizeOf(spec.shape);
    const own = path.replace(/^(parameters|discriminator)\./, '');
    if (path.startsWith('discriminator.')) makers.set(`discriminator.parameters.${own}`, values);
    else {
      const make = () => given.get(own) ?? values();
      for (const part of ['parameters', 'ema']) makers.set(`${part}.${own}`, make);
    }
  }
  return lazyValues(makers, elements);
}

/** Of DiLoCo, by path of a parameter. */
export const OUTER_MOMENTUM = 'outer.';

const SCALE_NAMES = ['lossScale.scale', 'lossScale.goodSteps'];

/** @throws TransfusionError CHECKPOINT_FOREIGN naming the tensor that is missing, unknown or of another size */
export function checkStateValues(phases: readonly Phase[], values: StateValues): void {
  const specs = flattenTree<ParameterSpec>(persistentSpec(phases), isParameterSpec);
  for (const [path, { shape }] of specs) checkSize(values, path, shape);
  for (const name of values.keys()) {
    const parameter = name.startsWith(OUTER_MOMENTUM) && specs.get(`parameters.${name.slice(OUTER_MOMENTUM.length)}`);
    if (parameter) checkSize(values, name, parameter.shape);
    else if (!specs.has(name) && !SCALE_NAMES.includes(name)) throw foreign(`${name} is not a tensor of this model`);
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
