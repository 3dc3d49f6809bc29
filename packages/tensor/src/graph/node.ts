/** @file The graph that a compiled function traces: nodes, and what an operation has to define. */
import type { DType } from '../program/program.js';
import type { Tensor } from '../tensor.js';
import type { Shape } from './shape.js';

export type { Tensor };

/** What is known of a tensor before anything is computed. */
export interface TensorType {
  shape: Shape;
  dtype: DType;
}

/** Values in the f64 reference interpreter: numbers whatever the dtype. */
export type ReferenceArray = Float64Array;

/** Everything there is to know of an operation, apart from its kernels: shape rule, f64 reference, gradient. */
export interface OpDefinition<Attributes = unknown> {
  readonly name: string;
  /** The types of the outputs; throws `TENSOR_SHAPE_MISMATCH` naming what disagrees. */
  infer(inputs: readonly TensorType[], attributes: Attributes): TensorType[];
  /** The plain definition, in f64. Absent for leaves, whose values are given. */
  reference?(call: ReferenceCall<Attributes>): ReferenceArray[];
  /** Gradients with respect to each input (undefined where there is none), from those of the outputs. */
  gradient?(call: GradientCall<Attributes>): (Tensor | undefined)[];
}

export interface ReferenceCall<Attributes> {
  inputs: ReferenceArray[];
  inputTypes: readonly TensorType[];
  outputTypes: readonly TensorType[];
  attributes: Attributes;
}

export interface GradientCall<Attributes> {
  inputs: readonly Tensor[];
  outputs: readonly Tensor[];
  /** One per output; undefined where nothing that is differentiated uses the output. */
  gradients: readonly (Tensor | undefined)[];
  attributes: Attributes;
}

export interface GraphNode {
  /** Increases with creation, so the order of ids is a topological order. */
  readonly id: number;
  // The attributes' type is known to the operation alone.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly op: OpDefinition<any>;
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly attributes: any;
  readonly inputs: readonly Tensor[];
  readonly types: readonly TensorType[];
  /** The node's outputs, one `Tensor` each. */
  readonly outputs: readonly Tensor[];
}

let nextId = 0;

/** The id that the next node will have. */
export function nextNodeId(): number {
  return nextId;
}

type TensorClass = new (node: GraphNode, output: number) => Tensor;

let tensorClass: TensorClass;

/** Called once by `tensor.ts`, which imports the operations and so cannot be imported by them. */
export function setTensorClass(implementation: TensorClass): void {
  tensorClass = implementation;
}

/** Adds a node to the graph and returns all its outputs. */
export function applyAll<Attributes>(
  op: OpDefinition<Attributes>,
  inputs: readonly Tensor[],
  attributes: Attributes,
): readonly Tensor[] {
  const types = op.infer(
    inputs.map((input) => ({ shape: input.shape, dtype: input.dtype })),
    attributes,
  );
  const outputs: Tensor[] = [];
  const node: GraphNode = { id: nextId++, op, attributes, inputs, types, outputs };
  for (let i = 0; i < types.length; i++) outputs.push(new tensorClass(node, i));
  return outputs;
}

/** Adds a node of one output. */
export function apply<Attributes>(
  op: OpDefinition<Attributes>,
  inputs: readonly Tensor[],
  attributes: Attributes,
): Tensor {
  return applyAll(op, inputs, attributes)[0];
}
