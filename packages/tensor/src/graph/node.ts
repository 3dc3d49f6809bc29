/** @file The graph that a compiled function traces: tensors, nodes, and what an operation has to define. */
import type { BufferIndex, Epilogue, Kernel } from '../program/kernels/index.js';
import type { DType } from '../program/program.js';
import type { Shape } from './shape.js';

/** A tensor, or a number that repeats over the other operand's shape. */
export type Operand = Tensor | number;

/** A symbolic tensor, one output of a graph node: a shape and a dtype, no values. Its methods add operations to the graph. */
export interface Tensor {
  readonly node: GraphNode;
  /** Which of the node's outputs. */
  readonly output: number;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly rank: number;
  /** Number of elements. */
  readonly size: number;

  /** The same values, which gradients take for a constant: nothing reaches `this` through the result. Costs nothing. */
  detach(): Tensor;

  // Arithmetic. Shapes broadcast by NumPy's rule.

  add(other: Operand): Tensor;
  sub(other: Operand): Tensor;
  mul(other: Operand): Tensor;
  div(other: Operand): Tensor;
  /** this ** exponent; NaN for a negative base and a fractional exponent. */
  pow(exponent: Operand): Tensor;
  maximum(other: Operand): Tensor;
  minimum(other: Operand): Tensor;

  // Comparisons give 1.0 where true, 0.0 where false, and have no gradient.

  less(other: Operand): Tensor;
  lessEqual(other: Operand): Tensor;
  greater(other: Operand): Tensor;
  greaterEqual(other: Operand): Tensor;
  equal(other: Operand): Tensor;
  notEqual(other: Operand): Tensor;

  neg(): Tensor;
  abs(): Tensor;
  exp(): Tensor;
  log(): Tensor;
  sqrt(): Tensor;
  /** 1 / sqrt(this) */
  rsqrt(): Tensor;
  sin(): Tensor;
  cos(): Tensor;
  tanh(): Tensor;
  erf(): Tensor;
  sigmoid(): Tensor;
  /** Largest whole number not above; its gradient is taken as zero. */
  floor(): Tensor;
  reciprocal(): Tensor;
  square(): Tensor;
  /** x sigmoid(x) */
  silu(): Tensor;
  /** x Phi(x), by the error function (not the tanh approximation). */
  gelu(): Tensor;
  /** i32 -> f32, exact below 2^24. */
  toFloat(): Tensor;
  /** f32 -> i32, towards zero. */
  toInt(): Tensor;

  // Reductions. No axes: all of them. The reduced axes disappear, or have length 1 with `keepAxes`.

  sum(axes?: number | readonly number[], keepAxes?: boolean): Tensor;
  max(axes?: number | readonly number[], keepAxes?: boolean): Tensor;
  mean(axes?: number | readonly number[], keepAxes?: boolean): Tensor;

  // Moving elements.

  /** Same elements in row-major order; one length may be -1 and is inferred. */
  reshape(shape: Shape): Tensor;
  /** Axis i of the result is axis axes[i] of this. */
  permute(axes: readonly number[]): Tensor;
  /** The last two axes swapped. */
  transpose(): Tensor;
  /** Repeats axes of length 1 (and new leading axes) to `shape`. */
  broadcastTo(shape: Shape): Tensor;
  /** Elements begin <= i < end of one axis. */
  slice(axis: number, begin: number, end: number): Tensor;
  /** Zeros before and after one axis. */
  pad(axis: number, before: number, after: number): Tensor;

  /**
   * Matrix product over the last two axes: [..., m, k] @ [..., k, n] -> [..., m, n]. `other` is a matrix shared by all,
   * or has the same leading axes. A transpose of either side costs nothing.
   */
  matmul(other: Tensor, options?: { transposeA?: boolean; transposeB?: boolean }): Tensor;
  /** Over the last axis. */
  softmax(): Tensor;
  /** Over the last axis. */
  logSoftmax(): Tensor;
}

/** What is known of a tensor before anything is computed. */
export interface TensorType {
  shape: Shape;
  dtype: DType;
}

/** Values in the f64 reference interpreter: numbers whatever the dtype. */
export type ReferenceArray = Float64Array;

/** Everything there is to know of an operation: shape rule, f64 reference, gradient, and the kernel that computes it. */
export interface OpDefinition<Attributes = unknown> {
  readonly name: string;
  /** The types of the outputs; throws `TENSOR_SHAPE_MISMATCH` naming what disagrees. */
  infer(inputs: readonly TensorType[], attributes: Attributes): TensorType[];
  /** The plain definition, in f64. Absent for leaves, whose values are given. */
  reference?(call: ReferenceCall<Attributes>): ReferenceArray[];
  /** Gradients with respect to each input (undefined where there is none), from those of the outputs. */
  gradient?(call: GradientCall<Attributes>): (Tensor | undefined)[];
  /** The kernel, where the operation has one of its own that reads all inputs. (Else the compiler knows what it comes to.) */
  kernel?(call: KernelCall<Attributes>): Kernel;
  /** Where the kernel works in place: which inputs the outputs overwrite, in the order of the outputs. */
  inPlace?: readonly number[];
  /** Of products, instead of `kernel`: two inputs, one output. */
  product?(call: Pick<KernelCall<Attributes>, 'inputs' | 'attributes'>): Product;
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

export interface KernelCall<Attributes> {
  inputs: readonly Tensor[];
  outputs: readonly Tensor[];
  attributes: Attributes;
  /** The buffers of the inputs and of the outputs. */
  reads: readonly BufferIndex[];
  writes: readonly BufferIndex[];
}

/** A kernel that can compute an elementwise expression on every value before it stores it. */
export interface Product {
  /** The epilogue's iteration space. */
  space: readonly number[];
  /** @param operands the buffers of the two inputs */
  kernel(operands: readonly [BufferIndex, BufferIndex], output: BufferIndex, epilogue?: Epilogue): Kernel;
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
