/** @file The training step of any objective as compiled functions: losses, gradients, clipped AdamW, moving averages. */
import {
  type AdamWOptions,
  adamwUpdate,
  clipScale,
  emaUpdate,
  globalNorm,
  gradientTree,
  type LossScale,
  type ScaledStep,
  scaledStep,
} from '@transfusion/nn';
import {
  type Backend,
  compile,
  f32,
  fill,
  flattenTree,
  isTensor,
  mapTree,
  type Precision,
  type Tensor,
  type Variable,
} from '@transfusion/tensor';
import type { BatchTensors, Objective, ObjectiveLosses } from './objective.js';
import type { Optimised, OwnedState, TrainState } from './train-state.js';

export interface StepOptions {
  optimizer: AdamWOptions;
  /** Global norm to which gradients are clipped: the model's, and apart from it the discriminator's. */
  maxGradientNorm: number;
  /** Batches whose gradients are summed before an update. */
  accumulation: number;
  /** Of products and activations; 'f16' scales the loss. Default 'f32'. */
  precision?: Precision;
}

/** Numbers of an optimizer step: see `adamwHyper`; the decay of the moving average. */
function updateInputs({ discriminator }: Objective) {
  return { hyper: f32(3), emaDecay: f32(1), ...(discriminator ? { discriminatorHyper: f32(3) } : {}) };
}

type UpdateTensors = { hyper: Tensor; emaDecay: Tensor; discriminatorHyper?: Tensor };

type Traced = TrainState<unknown, Tensor>;

/** What a step of this objective reads and writes: nothing of another phase. */
function stateOf({ discriminator: judge }: Objective, { discriminator, ...own }: TrainState): TrainState {
  return judge ? { ...own, discriminator } : own;
}

function lossesOf(objective: Objective, state: Traced, batch: BatchTensors<Objective['inputs']>): ObjectiveLosses {
  const { parameters, discriminator, constants } = state;
  return objective.losses({ parameters, discriminator: discriminator?.parameters, constants }, batch);
}

/** Without accumulation: everything in one program. */
export function compileStep(backend: Backend, state: TrainState, objective: Objective, options: StepOptions) {
  return compile({
    backend,
    name: 'train step',
    precision: options.precision,
    inputs: { batch: objective.inputs, ...updateInputs(objective) },
    state: stateOf(objective, state),
    fn: ({ batch, ...numbers }, tensors) => {
      const own = tensors as Traced;
      const losses = lossesOf(objective, own, batch);
      const gradients = gradientsOf(losses, own);
      const { norm, updates } = update({ objective, options, state: own, gradients, numbers });
      return {
        outputs: { terms: losses.terms, norm, ...scaleOutput(own.lossScale) },
        updates: { ...updates, ...counted(own, losses) },
      };
    },
  });
}

/** With accumulation: adds a batch's gradients to the sum. Not for objectives with a discriminator. */
export function compileAccumulate(backend: Backend, state: TrainState, objective: Objective, options: StepOptions) {
  const { parameters, gradients, lossScale, counters, constants } = state;
  return compile({
    backend,
    name: 'accumulate gradients',
    precision: options.precision,
    inputs: { batch: objective.inputs },
    state: { parameters, gradients, lossScale, counters, constants },
    fn: ({ batch }, tensors) => {
      const own = tensors as unknown as Traced;
      const losses = lossesOf(objective, own, batch);
      const latest = flattenTree<Tensor>(gradientsOf(losses, own).model, isTensor);
      const gradients = mapTree(own.gradients, isTensor, (sum, path) => sum.add(latest.get(path)!));
      return { outputs: { terms: losses.terms }, updates: { gradients, ...counted(own, losses) } };
    },
  });
}

/** With accumulation: puts the sum of gradients aside, and starts again from zero. See `sumActions`. */
export function compileKeep(backend: Backend, { gradients, kept }: TrainState, level: number) {
  return compile({
    backend,
    name: 'keep a sum of gradients',
    inputs: {},
    state: { gradients, kept: kept![level] },
    fn: (_, state) => {
      const own = state as { gradients: unknown; kept: unknown };
      const copies = flattenTree<Tensor>(own.gradients, isTensor);
      return {
        outputs: {},
        updates: {
          kept: mapTree(own.kept, isTensor, (_, path) => copies.get(path)!.mul(1)),
          gradients: zerosLike(own.gradients),
        },
      };
    },
  });
}

/** With accumulation: adds what was put aside to the sum of gradients. */
export function compileAddKept(backend: Backend, { gradients, kept }: TrainState, level: number) {
  return compile({
    backend,
    name: 'add a sum of gradients',
    inputs: {},
    state: { gradients, kept: kept![level] },
    fn: (_, state) => {
      const own = state as { gradients: unknown; kept: unknown };
      const others = flattenTree<Tensor>(own.kept, isTensor);
      const gradients = mapTree(own.gradients, isTensor, (sum, path) => sum.add(others.get(path)!));
      return { outputs: {}, updates: { gradients } };
    },
  });
}

/** With ranks: the sum of the squares of each of these gradients, by path. */
export function compileSquares(backend: Backend, gradients: Readonly<Record<string, Variable>>) {
  return compile({
    backend,
    name: 'squares of gradients',
    inputs: {},
    state: gradients,
    fn: (_, state) => ({
      outputs: mapTree(state as Record<string, Tensor>, isTensor, (gradient) => gradient.square().sum()),
    }),
  });
}

/**
 * With ranks: the optimizer step of the parameters that this rank owns; the sum of all gradients starts again from zero. The
 * global norm is among the inputs, since no rank has all summed gradients.
 */
export function compileOwnedUpdate(
  backend: Backend,
  { owned, gradients, lossScale }: OwnedState,
  objective: Objective,
  options: StepOptions,
) {
  return compile({
    backend,
    name: 'optimizer step of a rank',
    inputs: { norm: f32(1), ...updateInputs(objective) },
    state: { ...owned, gradients, lossScale },
    fn: ({ norm, ...numbers }, tensors) => {
      const own = tensors as unknown as Traced;
      const { norm: clipped, updates } = update({
        ...{ objective, options, numbers, state: own },
        gradients: { model: own.gradients, norm: norm.reshape([]) },
      });
      const outputs = { norm: clipped, ...scaleOutput(own.lossScale) };
      return { outputs, updates: { ...updates, gradients: zerosLike(own.gradients) } };
    },
  });
}

function zerosLike<T>(tree: T): T {
  return mapTree(tree, isTensor, ({ shape }: Tensor) => fill(shape, 0)) as T;
}

/** With accumulation: the optimizer step; the sum starts again from zero. */
export function compileUpdate(backend: Backend, state: TrainState, objective: Objective, options: StepOptions) {
  return compile({
    backend,
    name: 'optimizer step',
    inputs: updateInputs(objective),
    state,
    fn: (numbers, tensors) => {
      const own = tensors as Traced;
      const { norm, updates } = update({
        objective,
        options,
        state: own,
        gradients: { model: own.gradients },
        numbers,
      });
      const outputs = { norm, ...scaleOutput(own.lossScale) };
      return { outputs, updates: { ...updates, gradients: zerosLike(own.gradients) } };
    },
  });
}

/** The terms of a batch, and nothing else: evaluation. */
export function compileLosses(
  backend: Backend,
  objective: Objective,
  state: Pick<TrainState, 'parameters' | 'constants'>,
) {
  return compile({
    backend,
    name: 'evaluate',
    inputs: { batch: objective.inputs },
    state,
    fn: ({ batch }, tensors) => ({ outputs: lossesOf(objective, tensors as Traced, batch).terms }),
  });
}

/** Trees: of the model's parameters, and of the discriminator's. */
interface Gradients {
  model: unknown;
  /** Of the model's; default: computed. */
  norm?: Tensor;
  discriminator?: unknown;
}

function gradientsOf({ total, discriminator }: ObjectiveLosses, state: Traced): Gradients {
  const { lossScale } = state;
  const loss = lossScale ? total.mul(lossScale.scale.reshape([])) : total;
  return {
    model: gradientTree(loss, state.parameters),
    ...(discriminator ? { discriminator: gradientTree(discriminator, state.discriminator!.parameters) } : {}),
  };
}

/** One optimizer step of every player from its gradients, then the moving average of the model's parameters. */
function update(parts: {
  objective: Objective;
  options: StepOptions;
  state: Traced;
  gradients: Gradients;
  numbers: UpdateTensors;
}) {
  const { objective, options, state, gradients, numbers } = parts;
  const norm = gradients.norm ?? globalNorm(gradients.model);
  const { nextScale, ...clipped } = clip(norm, options, state.lossScale);
  const next = optimise(options, objective.parameters, state, {
    gradients: gradients.model,
    gradientScale: clipped.gradientScale,
    hyper: numbers.hyper,
  });
  const ema = emaUpdate(state.ema, next.parameters, numbers.emaDecay);
  const discriminator =
    gradients.discriminator === undefined
      ? {}
      : {
          discriminator: optimise(options, objective.discriminator, state.discriminator!, {
            gradients: gradients.discriminator,
            gradientScale: clipScale(globalNorm(gradients.discriminator), options.maxGradientNorm),
            hyper: numbers.discriminatorHyper!,
          }),
        };
  const updates = { ...next, ema, ...discriminator, ...(nextScale ? { lossScale: nextScale } : {}) };
  return { norm: clipped.norm, updates };
}

function optimise(
  { optimizer }: StepOptions,
  specs: unknown,
  { parameters, m, v }: Optimised,
  step: { gradients: unknown; gradientScale: Tensor; hyper: Tensor },
): Optimised {
  return adamwUpdate({ specs, parameters, m, v, ...step }, optimizer);
}

/** The norm of the gradients, what scales them for the optimizer, and the next loss scale where there is one. */
function clip(
  norm: Tensor,
  { maxGradientNorm }: StepOptions,
  lossScale: LossScale<Tensor> | undefined,
): Omit<ScaledStep, 'next'> & { nextScale?: LossScale<Tensor> } {
  if (!lossScale) return { norm, gradientScale: clipScale(norm, maxGradientNorm) };
  const { next, ...scaled } = scaledStep({ lossScale, scaledNorm: norm, maxNorm: maxGradientNorm });
  return { ...scaled, nextScale: next };
}

/** The scale that this step's loss had. */
function scaleOutput(lossScale: LossScale<Tensor> | undefined): { lossScale?: Tensor } {
  return lossScale ? { lossScale: lossScale.scale.mul(1) } : {};
}

function counted({ counters }: Traced, { counts }: ObjectiveLosses): { counters?: Record<string, Tensor> } {
  if (!counters || !counts) return {};
  const sums = Object.entries(counts).map(([name, count]) => [name, counters[name].add(count)]);
  return { counters: Object.fromEntries(sums) };
}
