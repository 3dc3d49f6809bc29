/** @file Encodes cross-entropy; `assembly/cross-entropy.ts` runs it. */
import type { CrossEntropyKernel } from '@transfusion/tensor';
import type { Command, EncodeContext } from '../command.js';
import { KernelId } from '../kernel-id.js';
import { itemsPerTile } from '../tiles.js';

export function encodeCrossEntropy(kernel: CrossEntropyKernel, context: EncodeContext): Command[] {
  const { rows, classes } = kernel;
  const perTile = itemsPerTile(rows, 50 + classes * 2);
  const args = [rows, classes, perTile];
  args.push(
    context.address(kernel.logits),
    context.address(kernel.targets),
    context.address(kernel.loss),
    context.address(kernel.lse),
  );
  return [{ kernel: KernelId.crossEntropy, tiles: Math.ceil(rows / perTile), args }];
}
