/** @file Encodes rotary embeddings; `assembly/rope.ts` runs them. */
import type { RopeKernel } from '@transfusion/tensor';
import type { Command, EncodeContext } from '../command.js';
import { KernelId } from '../kernel-id.js';
import { itemsPerTile } from '../tiles.js';

export function encodeRope(kernel: RopeKernel, context: EncodeContext): Command[] {
  const { rows, heads, headDim, tableRows } = kernel;
  const perTile = itemsPerTile(rows, 10 + heads * (10 + headDim * 0.5));
  const args = [rows, heads, headDim, tableRows, perTile, Number(kernel.interleaved), Number(kernel.inverse)];
  args.push(
    context.address(kernel.x),
    context.address(kernel.positions),
    context.address(kernel.cos),
    context.address(kernel.sin),
  );
  args.push(context.address(kernel.output));
  return [{ kernel: KernelId.rope, tiles: Math.ceil(rows / perTile), args }];
}
