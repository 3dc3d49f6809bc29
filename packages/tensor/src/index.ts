/** @file @transfusion/tensor: symbolic tensors, autodiff, a compiler, and the contract that backends fulfil. */

export {
  type Compiled,
  type CompileOptions,
  compile,
  f32,
  i32,
  isTensorSpec,
  type Precision,
  type TensorSpec,
  type Updates,
} from './compiler/compile.js';
export { flattenTree, type LeafTest, type MapTree, mapTree } from './compiler/tree.js';
export { createVariable, createVariables, isVariable, Variable } from './compiler/variable.js';
export * from './errors.js';
export { grad } from './grad.js';
export type { Operand, Tensor } from './graph/node.js';
export { type Shape, showShape, sizeOf } from './graph/shape.js';
export { type AdamWAttributes, type AdamWStep, adamw } from './ops/adamw.js';
export { type AttentionOptions, attention } from './ops/attention.js';
export { checkpoint } from './ops/checkpoint.js';
export { type Conv2dOptions, conv2d, type Padding, upsampleNearest } from './ops/conv2d.js';
export { crossEntropy } from './ops/cross-entropy.js';
export { type GroupNormOptions, groupNorm, layerNorm } from './ops/group-norm.js';
export { constant, fill, scalar } from './ops/leaf.js';
export { concat } from './ops/movement.js';
export { type RandomOptions, randomNormal, randomUniform } from './ops/random.js';
export { rmsNorm } from './ops/rms-norm.js';
export { type RopeTable, rope, ropeTable } from './ops/rope.js';
export { gather, scatterAdd, writeRows } from './ops/rows.js';
export { normals, PhiloxStream, uniforms } from './philox.js';
export { type ChromeTrace, chromeTrace } from './profile/chrome-trace.js';
export { formatProfile, type ProfileRow, summarise } from './profile/summary.js';
export type * from './program/backend.js';
export {
  checkBufferSize,
  checkProgram,
  checkRead,
  checkRunInputs,
  checkStates,
  checkWrite,
  inputsOf,
} from './program/checks.js';
export * from './program/faults.js';
export { typeRegisters } from './program/kernels/expression.js';
export type * from './program/kernels/index.js';
export { describeKernel } from './program/kernels/index.js';
export { type KernelOperand, operandsOf } from './program/operands.js';
export type { BufferStorage, BufferType, DType, Program, ProgramBuffer } from './program/program.js';
export { BYTES_PER_ELEMENT, bufferBytes } from './program/program.js';
export { evaluate } from './reference/evaluate.js';
export { isTensor, select } from './tensor.js';
