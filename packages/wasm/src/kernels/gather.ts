/** @file Encodes row gathers; `assembly/gather.ts` runs them. */
import type { GatherKernel } from '@transfusion/tensor';
import type { Command, EncodeContext } from '../command.js';
import { KernelId } from '../kernel-id.js';
import { itemsPerTile } from '../tiles.js';

export function encodeGather(kernel: GatherKernel, context: EncodeContext): Command[] {
  const { rows, tableRows, width } = kernel;
  const perTile = itemsPerTile(rows, 20 + width * 0.2);
  const args = [rows, tableRows, width, perTile];
  args.push(context.address(kernel.table), context.address(kernel.indices), context.address(kernel.output));
  return [{ kernel: KernelId.gather, tiles: Math.ceil(rows / perTile), args }];
}
