/** @file The lowering of every kind of kernel. */
import type { Kernel, KernelKind } from '@transfusion/tensor';
import type { Dispatch } from '../lowering.js';
import { lowerAdamW } from './adamw.js';
import { lowerAttention, lowerAttentionGrad } from './attention/attention.js';
import type { AttentionContext } from './attention/plan.js';
import { lowerConv2d, lowerConv2dInputGrad, lowerConv2dWeightGrad } from './conv2d/conv2d.js';
import { lowerCrossEntropy, lowerCrossEntropyGrad } from './cross-entropy.js';
import { lowerElementwise } from './elementwise.js';
import { lowerGather } from './gather.js';
import { lowerGroupNorm, lowerGroupNormGrad } from './group-norm.js';
import { lowerMatmul } from './products/matmul.js';
import type { ProductContext } from './products/variant.js';
import { lowerRandom } from './random.js';
import { lowerReduce } from './reduce.js';
import { lowerRmsNorm, lowerRmsNormGrad } from './rms-norm.js';
import { lowerRope } from './rope.js';
import { lowerScatterAdd } from './scatter-add.js';
import { lowerSoftmax, lowerSoftmaxGrad } from './softmax.js';
import { lowerWriteRows } from './write-rows.js';

/** What lowering any kernel may know and ask for. */
export interface KernelContext extends ProductContext, AttentionContext {}

type Lowering<K> = (kernel: K, context: KernelContext) => Dispatch[];

const LOWERINGS: { [Kind in KernelKind]: Lowering<Extract<Kernel, { kind: Kind }>> } = {
  elementwise: lowerElementwise,
  reduce: lowerReduce,
  matmul: lowerMatmul,
  conv2d: lowerConv2d,
  conv2dInputGrad: lowerConv2dInputGrad,
  conv2dWeightGrad: lowerConv2dWeightGrad,
  gather: lowerGather,
  scatterAdd: lowerScatterAdd,
  writeRows: lowerWriteRows,
  softmax: lowerSoftmax,
  softmaxGrad: lowerSoftmaxGrad,
  rmsNorm: lowerRmsNorm,
  rmsNormGrad: lowerRmsNormGrad,
  groupNorm: lowerGroupNorm,
  groupNormGrad: lowerGroupNormGrad,
  rope: lowerRope,
  attention: lowerAttention,
  attentionGrad: lowerAttentionGrad,
  crossEntropy: lowerCrossEntropy,
  crossEntropyGrad: lowerCrossEntropyGrad,
  adamw: lowerAdamW,
  random: lowerRandom,
};

/** The dispatches of a kernel, in order. */
export function lowerKernel(kernel: Kernel, context: KernelContext): Dispatch[] {
  return (LOWERINGS[kernel.kind] as Lowering<Kernel>)(kernel, context);
}
