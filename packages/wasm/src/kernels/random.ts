/** @file Encodes Philox random numbers; `assembly/random.ts` draws them. */
import type { RandomKernel } from '@transfusion/tensor';
import type { Command, EncodeContext } from '../command.js';
import { KernelId } from '../kernel-id.js';
import { itemsPerTile } from '../tiles.js';

export function encodeRandom(kernel: RandomKernel, context: EncodeContext): Command[] {
  const { elements } = kernel;
  const normal = kernel.distribution === 'normal';
  const blocks = Math.ceil(elements / 4);
  // Four blocks of four numbers are computed at a time.
  const perTile = itemsPerTile(blocks, normal ? 24 : 8, 4);
  const args = [elements, perTile, Number(normal), kernel.stream | 0];
  args.push(context.address(kernel.seed), context.address(kernel.output));
  return [{ kernel: KernelId.random, tiles: Math.ceil(blocks / perTile), args }];
}
