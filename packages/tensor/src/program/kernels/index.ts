/**
 * @file Every kernel a backend implements, and its description. A kernel's operands are whole contiguous buffers, except
 * in elementwise and reduce kernels and in epilogues, whose operands are strided views.
 *
 * Outputs never overlap inputs, except where a kernel is described as working in place and where an elementwise
 * kernel's output view is exactly one of its input views (same buffer, offset and strides): then each element is read
 * before it is written.
 *
 * Index tensors hold untrusted numbers: an index out of range never reads or writes outside its operand.
 */
import { type AdamWKernel, adamw } from './adamw.js';
import { type AttentionGradKernel, type AttentionKernel, attention, attentionGrad } from './attention.js';
import {
  type Conv2dInputGradKernel,
  type Conv2dKernel,
  type Conv2dWeightGradKernel,
  conv2d,
  conv2dInputGrad,
  conv2dWeightGrad,
} from './conv2d.js';
import {
  type CrossEntropyGradKernel,
  type CrossEntropyKernel,
  crossEntropy,
  crossEntropyGrad,
} from './cross-entropy.js';
import type { KernelDescriptor, OperandUse } from './descriptor.js';
import { type ElementwiseKernel, elementwise } from './elementwise.js';
import { type GroupNormGradKernel, type GroupNormKernel, groupNorm, groupNormGrad } from './group-norm.js';
import { type MatmulKernel, matmul } from './matmul.js';
import { type RandomKernel, random } from './random.js';
import { type ReduceKernel, reduce } from './reduce.js';
import { type RmsNormGradKernel, type RmsNormKernel, rmsNorm, rmsNormGrad } from './rms-norm.js';
import { type RopeKernel, rope } from './rope.js';
import {
  type GatherKernel,
  gather,
  type ScatterAddKernel,
  scatterAdd,
  type WriteRowsKernel,
  writeRows,
} from './rows.js';
import { type SoftmaxGradKernel, type SoftmaxKernel, softmax, softmaxGrad } from './softmax.js';

export type { AdamWKernel } from './adamw.js';
export type { AttentionGradKernel, AttentionKernel, AttentionShape } from './attention.js';
export type { Conv2dInputGradKernel, Conv2dKernel, Conv2dShape, Conv2dWeightGradKernel } from './conv2d.js';
export type { CrossEntropyGradKernel, CrossEntropyKernel } from './cross-entropy.js';
export type { KernelDescriptor, OperandUse } from './descriptor.js';
export type { ElementwiseKernel } from './elementwise.js';
export type { BinaryOp, Expression, Instruction, UnaryOp } from './expression.js';
export type { GroupNormGradKernel, GroupNormKernel, GroupNormShape } from './group-norm.js';
export type { MatmulKernel } from './matmul.js';
export type { BufferIndex, Epilogue, MatrixOperand, View } from './operand.js';
export type { RandomKernel } from './random.js';
export type { ReduceKernel } from './reduce.js';
export type { RmsNormGradKernel, RmsNormKernel } from './rms-norm.js';
export type { RopeKernel } from './rope.js';
export type { GatherKernel, RowsShape, ScatterAddKernel, WriteRowsKernel } from './rows.js';
export type { SoftmaxGradKernel, SoftmaxKernel } from './softmax.js';

export type Kernel =
  | ElementwiseKernel
  | ReduceKernel
  | MatmulKernel
  | Conv2dKernel
  | Conv2dInputGradKernel
  | Conv2dWeightGradKernel
  | GatherKernel
  | ScatterAddKernel
  | WriteRowsKernel
  | SoftmaxKernel
  | SoftmaxGradKernel
  | RmsNormKernel
  | RmsNormGradKernel
  | GroupNormKernel
  | GroupNormGradKernel
  | RopeKernel
  | AttentionKernel
  | AttentionGradKernel
  | CrossEntropyKernel
  | CrossEntropyGradKernel
  | AdamWKernel
  | RandomKernel;

export type KernelKind = Kernel['kind'];

/** One description for each kind: a kernel without one does not compile. */
export const kernelDescriptors: { readonly [Kind in KernelKind]: KernelDescriptor<Extract<Kernel, { kind: Kind }>> } = {
  elementwise,
  reduce,
  matmul,
  conv2d,
  conv2dInputGrad,
  conv2dWeightGrad,
  gather,
  scatterAdd,
  writeRows,
  softmax,
  softmaxGrad,
  rmsNorm,
  rmsNormGrad,
  groupNorm,
  groupNormGrad,
  rope,
  attention,
  attentionGrad,
  crossEntropy,
  crossEntropyGrad,
  adamw,
  random,
};

/** A description, whichever kind's it is. */
export interface AnyKernelDescriptor {
  readonly family: KernelDescriptor<Kernel>['family'];
  readonly operands: { readonly [field: string]: OperandUse<Kernel> };
  flops(kernel: Kernel): number;
  variant?(kernel: Kernel): string;
  space?(kernel: Kernel): readonly number[];
}

export function describeKernel({ kind }: Pick<Kernel, 'kind'>): AnyKernelDescriptor {
  return kernelDescriptors[kind] as unknown as AnyKernelDescriptor;
}
