/** @file One tile of one kernel. A kernel is `export function kind(args: usize, tile: i32, thread: i32): void`. */
import { KernelId } from '../src/kernel-id';
import { elementwise } from './elementwise';
import { reduceRows } from './reduce-rows';
import { reduceColumns } from './reduce-columns';
import { matmulPack } from './matmul-pack';
import { matmul } from './matmul';
import { matmulRows } from './matmul-rows';
import { matmulDots } from './matmul-dots';
import { matmulCombine } from './matmul-combine';
import { conv2dPad } from './conv2d-pad';
import { conv2d } from './conv2d';
import { conv2dWeightGrad } from './conv2d-weight-grad';
import { gather } from './gather';
import { scatterAdd } from './scatter-add';
import { writeRows } from './write-rows';
import { softmax } from './softmax';
import { softmaxGrad } from './softmax-grad';
import { rmsNorm } from './rms-norm';
import { rmsNormGrad } from './rms-norm-grad';
import { groupNorm, groupNormApply, groupNormJoin, groupNormMoments } from './group-norm';
import { groupNormGrad, groupNormGradApply, groupNormGradSums } from './group-norm-grad';
import { rope } from './rope';
import { attention } from './attention';
import { attentionGrad } from './attention-grad';
import { attentionGradCombine } from './attention-grad-combine';
import { crossEntropy } from './cross-entropy';
import { crossEntropyGrad } from './cross-entropy-grad';
import { adamw } from './adamw';
import { random } from './random';

export function dispatch(kernel: i32, args: usize, tile: i32, thread: i32): void {
  switch (kernel) {
    case KernelId.elementwise: elementwise(args, tile, thread); break;
    case KernelId.reduceRows: reduceRows(args, tile, thread); break;
    case KernelId.reduceColumns: reduceColumns(args, tile, thread); break;
    case KernelId.matmulPack: matmulPack(args, tile, thread); break;
    case KernelId.matmul: matmul(args, tile, thread); break;
    case KernelId.matmulRows: matmulRows(args, tile, thread); break;
    case KernelId.matmulDots: matmulDots(args, tile, thread); break;
    case KernelId.matmulCombine: matmulCombine(args, tile, thread); break;
    case KernelId.conv2dPad: conv2dPad(args, tile, thread); break;
    case KernelId.conv2d: conv2d(args, tile, thread); break;
    case KernelId.conv2dWeightGrad: conv2dWeightGrad(args, tile, thread); break;
    case KernelId.gather: gather(args, tile, thread); break;
    case KernelId.scatterAdd: scatterAdd(args, tile, thread); break;
    case KernelId.writeRows: writeRows(args, tile, thread); break;
    case KernelId.softmax: softmax(args, tile, thread); break;
    case KernelId.softmaxGrad: softmaxGrad(args, tile, thread); break;
    case KernelId.rmsNorm: rmsNorm(args, tile, thread); break;
    case KernelId.rmsNormGrad: rmsNormGrad(args, tile, thread); break;
    case KernelId.groupNorm: groupNorm(args, tile, thread); break;
    case KernelId.groupNormMoments: groupNormMoments(args, tile, thread); break;
    case KernelId.groupNormJoin: groupNormJoin(args, tile, thread); break;
    case KernelId.groupNormApply: groupNormApply(args, tile, thread); break;
    case KernelId.groupNormGrad: groupNormGrad(args, tile, thread); break;
    case KernelId.groupNormGradSums: groupNormGradSums(args, tile, thread); break;
    case KernelId.groupNormGradApply: groupNormGradApply(args, tile, thread); break;
    case KernelId.rope: rope(args, tile, thread); break;
    case KernelId.attention: attention(args, tile, thread); break;
    case KernelId.attentionGrad: attentionGrad(args, tile, thread); break;
    case KernelId.attentionGradCombine: attentionGradCombine(args, tile, thread); break;
    case KernelId.crossEntropy: crossEntropy(args, tile, thread); break;
    case KernelId.crossEntropyGrad: crossEntropyGrad(args, tile, thread); break;
    case KernelId.adamw: adamw(args, tile, thread); break;
    case KernelId.random: random(args, tile, thread); break;
    default: unreachable();
  }
}
