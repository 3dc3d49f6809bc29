/** @file Encodes RMS normalisation; `assembly/rms-norm.ts` runs it. */
import type { RmsNormKernel } from '@transfusion/tensor';
import { type Command, type EncodeContext, floatWord } from '../command.js';
import { KernelId } from '../kernel-id.js';
import { itemsPerTile } from '../tiles.js';

export function encodeRmsNorm(kernel: RmsNormKernel, context: EncodeContext): Command[] {
  const { rows, columns } = kernel;
  const perTile = itemsPerTile(rows, 50 + columns * 0.4);
  const args = [rows, columns, perTile, floatWord(kernel.epsilon)];
  args.push(
    context.address(kernel.x),
    context.address(kernel.weight),
    context.address(kernel.output),
    context.address(kernel.rstd),
  );
  return [{ kernel: KernelId.rmsNorm, tiles: Math.ceil(rows / perTile), args }];
}
