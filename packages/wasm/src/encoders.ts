/** @file Which encoder turns which kernel into commands. */
import type { Kernel, KernelKind } from '@transfusion/tensor';
import type { Command, EncodeContext, Encoder } from './command.js';
import { encodeAdamW } from './kernels/adamw.js';
import { encodeAttention } from './kernels/attention.js';
import { encodeAttentionGrad } from './kernels/attention-grad.js';
import { encodeConv2d, encodeConv2dInputGrad } from './kernels/conv2d.js';
import { encodeConv2dWeightGrad } from './kernels/conv2d-weight-grad.js';
import { encodeCrossEntropy } from './kernels/cross-entropy.js';
import { encodeCrossEntropyGrad } from './kernels/cross-entropy-grad.js';
import { encodeElementwise } from './kernels/elementwise.js';
import { encodeGather } from './kernels/gather.js';
import { encodeGroupNorm, encodeGroupNormGrad } from './kernels/group-norm.js';
import { encodeMatmul } from './kernels/matmul.js';
import { encodeRandom } from './kernels/random.js';
import { encodeReduce } from './kernels/reduce.js';
import { encodeRmsNorm } from './kernels/rms-norm.js';
import { encodeRmsNormGrad } from './kernels/rms-norm-grad.js';
import { encodeRope } from './kernels/rope.js';
import { encodeScatterAdd } from './kernels/scatter-add.js';
import { encodeSoftmax } from './kernels/softmax.js';
import { encodeSoftmaxGrad } from './kernels/softmax-grad.js';
import { encodeWriteRows } from './kernels/write-rows.js';

const encoders: { [Kind in KernelKind]: Encoder<Extract<Kernel, { kind: Kind }>> } = {
  elementwise: encodeElementwise,
  reduce: encodeReduce,
  matmul: encodeMatmul,
  conv2d: encodeConv2d,
  conv2dInputGrad: encodeConv2dInputGrad,
  conv2dWeightGrad: encodeConv2dWeightGrad,
  gather: encodeGather,
  scatterAdd: encodeScatterAdd,
  writeRows: encodeWriteRows,
  softmax: encodeSoftmax,
  softmaxGrad: encodeSoftmaxGrad,
  rmsNorm: encodeRmsNorm,
  rmsNormGrad: encodeRmsNormGrad,
  groupNorm: encodeGroupNorm,
  groupNormGrad: encodeGroupNormGrad,
  rope: encodeRope,
  attention: encodeAttention,
  attentionGrad: encodeAttentionGrad,
  crossEntropy: encodeCrossEntropy,
  crossEntropyGrad: encodeCrossEntropyGrad,
  adamw: encodeAdamW,
  random: encodeRandom,
};

/** The commands of one kernel. */
export function encodeKernel(kernel: Kernel, context: EncodeContext): Command[] {
  return (encoders[kernel.kind] as Encoder)(kernel, context);
}
