/** @file Encodes row writes; `assembly/write-rows.ts` runs them. */
import type { WriteRowsKernel } from '@transfusion/tensor';
import type { Command, EncodeContext } from '../command.js';
import { KernelId } from '../kernel-id.js';
import { itemsPerTile } from '../tiles.js';

export function encodeWriteRows(kernel: WriteRowsKernel, context: EncodeContext): Command[] {
  const { rows, tableRows, width } = kernel;
  const perTile = itemsPerTile(rows, 20 + width * 0.2);
  const args = [rows, tableRows, width, perTile];
  args.push(context.address(kernel.target), context.address(kernel.indices), context.address(kernel.values));
  return [{ kernel: KernelId.writeRows, tiles: Math.ceil(rows / perTile), args }];
}
