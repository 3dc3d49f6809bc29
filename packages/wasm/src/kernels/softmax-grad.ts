/** @file Encodes the gradients of softmax and log-softmax; `assembly/softmax-grad.ts` runs them. */
import type { SoftmaxGradKernel } from '@transfusion/tensor';
import type { Command, EncodeContext } from '../command.js';
import { KernelId } from '../kernel-id.js';
import { itemsPerTile } from '../tiles.js';

export function encodeSoftmaxGrad(kernel: SoftmaxGradKernel, context: EncodeContext): Command[] {
  const { rows, columns } = kernel;
  const perTile = itemsPerTile(rows, 50 + columns * (kernel.log ? 2 : 0.6));
  const args = [rows, columns, perTile, Number(kernel.log)];
  args.push(context.address(kernel.y), context.address(kernel.dy), context.address(kernel.dx));
  return [{ kernel: KernelId.softmaxGrad, tiles: Math.ceil(rows / perTile), args }];
}
