/** @file Encodes the gradient of cross-entropy; `assembly/cross-entropy-grad.ts` runs it. */
import type { CrossEntropyGradKernel } from '@transfusion/tensor';
import type { Command, EncodeContext } from '../command.js';
import { KernelId } from '../kernel-id.js';
import { itemsPerTile } from '../tiles.js';

export function encodeCrossEntropyGrad(kernel: CrossEntropyGradKernel, context: EncodeContext): Command[] {
  const { rows, classes } = kernel;
  const perTile = itemsPerTile(rows, 50 + classes * 2);
  const args = [rows, classes, perTile, context.address(kernel.logits), context.address(kernel.targets)];
  args.push(context.address(kernel.lse), context.address(kernel.dLoss), context.address(kernel.dLogits));
  return [{ kernel: KernelId.crossEntropyGrad, tiles: Math.ceil(rows / perTile), args }];
}
