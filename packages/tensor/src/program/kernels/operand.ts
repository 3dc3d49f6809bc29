/** @file What kernels work on: whole buffers, matrices in them, strided views of them. */
import type { Expression } from './expression.js';

declare const isBuffer: unique symbol;

/** A position in `Program.buffers`. Any number will do; the type tells operands from sizes, so that none goes undescribed. */
export type BufferIndex = number & { readonly [isBuffer]?: true };

/** A strided view of a buffer, over the iteration space of the kernel that uses it. Units: elements. */
export interface View {
  buffer: BufferIndex;
  offset: number;
  /** One stride for each axis of the iteration space; 0 repeats (broadcast); never negative. */
  strides: number[];
}

/** A matrix operand: rows x columns as stored; `transpose` uses its transpose in the product. */
export interface MatrixOperand {
  buffer: BufferIndex;
  transpose: boolean;
  /** Elements between consecutive matrices of the batch; 0 uses one matrix for all. */
  batchStride: number;
}

/** Computed on each value of a product before it is stored: input 0 is that value (f32), inputs 1.. are `views` 0... */
export interface Epilogue {
  views: View[];
  expression: Expression;
}

/** What a field of a kernel may hold that names buffers. */
export type Operand = BufferIndex | View | View[] | MatrixOperand | Epilogue;

type IsOperand<T> = T extends number
  ? typeof isBuffer extends keyof T
    ? true
    : false
  : T extends View | View[] | MatrixOperand | Epilogue
    ? true
    : false;

/** The fields of a kernel that name buffers. */
export type OperandField<K> = {
  [Field in keyof K]-?: true extends IsOperand<NonNullable<K[Field]>> ? Field : never;
}[keyof K];
