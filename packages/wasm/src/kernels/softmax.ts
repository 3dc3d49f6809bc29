/** @file Encodes softmax and log-softmax; `assembly/softmax.ts` runs them. */
import type { SoftmaxKernel } from '@transfusion/tensor';
import type { Command, EncodeContext } from '../command.js';
import { KernelId } from '../kernel-id.js';
import { itemsPerTile } from '../tiles.js';

export function encodeSoftmax(kernel: SoftmaxKernel, context: EncodeContext): Command[] {
  const { rows, columns } = kernel;
  const perTile = itemsPerTile(rows, 50 + columns * 2);
  const args = [
    rows,
    columns,
    perTile,
    Number(kernel.log),
    context.address(kernel.input),
    context.address(kernel.output),
  ];
  return [{ kernel: KernelId.softmax, tiles: Math.ceil(rows / perTile), args }];
}
