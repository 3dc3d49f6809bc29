/** @file Encodes the gradient of RMS normalisation; `assembly/rms-norm-grad.ts` runs it. */
import type { RmsNormGradKernel } from '@transfusion/tensor';
import type { Command, EncodeContext } from '../command.js';
import { KernelId } from '../kernel-id.js';
import { itemsPerTile } from '../tiles.js';

export function encodeRmsNormGrad(kernel: RmsNormGradKernel, context: EncodeContext): Command[] {
  const { rows, columns } = kernel;
  const perTile = itemsPerTile(rows, 50 + columns * 0.6);
  const args = [rows, columns, perTile, context.address(kernel.x), context.address(kernel.weight)];
  args.push(context.address(kernel.rstd), context.address(kernel.dy), context.address(kernel.dx));
  return [{ kernel: KernelId.rmsNormGrad, tiles: Math.ceil(rows / perTile), args }];
}
