/** @file What a model is trained for: its parameters, what a batch gives to the graph, and the losses. */
import type { Backend, HostArray, MapTree, Tensor, TensorSpec, Variable } from '@transfusion/tensor';

/** A batch: arrays in the place of the specs in a tree of inputs. */
export type BatchArrays<Inputs = unknown> = MapTree<Inputs, TensorSpec, HostArray>;

/** A batch in the graph. */
export type BatchTensors<Inputs> = MapTree<Inputs, TensorSpec, Tensor>;

/** What the losses are computed from besides a batch: trees of tensors. */
export interface TracedState<Parameters = unknown, Discriminator = unknown, Constants = unknown> {
  parameters: Parameters;
  /** Where the objective has one. */
  discriminator: Discriminator;
  /** Weights that are not trained. */
  constants: Constants;
}

export interface ObjectiveLosses {
  /** What the parameters minimise; one element. The gradients of micro-batches add up, so it is normalised over a whole step. */
  total: Tensor;
  /** What the discriminator minimises, where there is one. */
  discriminator?: Tensor;
  /** For the record, one element each. Those of micro-batches add up. */
  terms: Record<string, Tensor>;
  /** What is added to the objective's counters. */
  counts?: Record<string, Tensor>;
}

/**
 * An objective: Transfusion's is one, those of the autoencoders are others. Everything that trains (the compiled step, the loop,
 * the checkpoint, the plan) asks for no more than this.
 */
export interface Objective<Inputs = unknown, Parameters = unknown, Discriminator = unknown, Constants = unknown> {
  /** Shapes and starts of what is trained, averaged and kept: a tree of `ParameterSpec`. */
  readonly parameters: unknown;
  /** Those of a second player, which judges the first, is optimised by itself and is not kept in the model. */
  readonly discriminator?: unknown;
  /** Sums over the steps, such as how often each code was used: a tree of `ParameterSpec`, by name. */
  readonly counters?: Record<string, unknown>;
  /** What a micro-batch gives: a tree of `TensorSpec`. */
  readonly inputs: Inputs;
  /** Those of the inputs, f32 of one element, that count over all micro-batches of a step. */
  readonly totals?: readonly string[];
  losses(state: TracedState<Parameters, Discriminator, Constants>, batch: BatchTensors<Inputs>): ObjectiveLosses;
  /** Work between steps, compiled. */
  upkeep?(backend: Backend, state: ObjectiveVariables): Promise<Upkeep>;
}

/** The variables that upkeep may read and change: trees. */
export interface ObjectiveVariables {
  parameters: unknown;
  m: unknown;
  v: unknown;
  ema: unknown;
  counters?: Record<string, Variable>;
}

/** Work between steps, such as reviving the dead codes of a codebook. */
export interface Upkeep {
  /** Called after every step, counted from 1, with the last of its batches; numbers for the record. */
  run(step: number, batch: BatchArrays): Promise<Record<string, number>>;
  dispose(): void;
}

/** An objective and the step, counted from 0, from which it is trained for. */
export interface Phase {
  from: number;
  objective: Objective;
}

/** The phase of a step, counted from 0. Phases are in the order of their starts; the first starts at 0. */
export function phaseAt(phases: readonly Phase[], step: number): Phase {
  return phases.findLast(({ from }) => from <= step) ?? phases[0];
}
