/** @file Leaves of the graph: inputs, persistent state, constants. */
import { apply, type OpDefinition, type Tensor, type TensorType } from '../graph/node.js';
import { checkShape, type Shape, shapeError, showShape, sizeOf } from '../graph/shape.js';
import type { HostArray } from '../program/backend.js';
import type { DType } from '../program/program.js';

export interface LeafAttributes {
  type: TensorType;
  /** Distinguishes leaves: position among the inputs or states of the traced function. */
  index: number;
  name: string;
}

/** Written by the host before every run. */
export const inputOp: OpDefinition<LeafAttributes> = { name: 'input', infer: (_, { type }) => [type] };

/** Device memory that outlives the program. */
export const stateOp: OpDefinition<LeafAttributes> = { name: 'state', infer: (_, { type }) => [type] };

export interface ConstantAttributes {
  type: TensorType;
  /** One number repeats over the whole shape. */
  data: number | HostArray;
}

export const constantOp: OpDefinition<ConstantAttributes> = {
  name: 'constant',
  infer: (_, { type }) => [type],
  reference: ({ attributes: { data, type } }) => [
    typeof data === 'number' ? new Float64Array(sizeOf(type.shape)).fill(data) : Float64Array.from(data),
  ],
  gradient: () => [],
};

/** An f32 scalar, or a tensor filled with it. */
export function fill(shape: Shape, value: number): Tensor {
  return apply(constantOp, [], { type: { shape: [], dtype: 'f32' as DType }, data: value }).broadcastTo(shape);
}

/** A constant tensor of the array's dtype (`Float32Array`: f32, `Int32Array`: i32). The data is copied. */
export function constant(data: HostArray, shape: Shape): Tensor {
  checkShape('constant', shape);
  if (data.length !== sizeOf(shape)) {
    throw shapeError(`constant: shape ${showShape(shape)} has ${sizeOf(shape)} elements, the data ${data.length}`);
  }
  const dtype: DType = data instanceof Float32Array ? 'f32' : 'i32';
  return apply(constantOp, [], { type: { shape: [...shape], dtype }, data: data.slice() });
}

/** An f32 scalar of shape []. */
export function scalar(value: number): Tensor {
  return apply(constantOp, [], { type: { shape: [], dtype: 'f32' as DType }, data: value });
}
