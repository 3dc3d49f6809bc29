/** @file Encodes group norm and its gradient; `assembly/group-norm.ts` and `assembly/group-norm-grad.ts` run them. */
import {
  type GroupNormGradKernel,
  type GroupNormKernel,
  type GroupNormShape,
  kernelTooLarge,
} from '@transfusion/tensor';
import { type Command, type EncodeContext, floatWord } from '../command.js';
import { KernelId } from '../kernel-id.js';
import { itemsPerTile } from '../tiles.js';

/** Elements of a chunk: both passes over it find it in the L2 cache. */
const CHUNK_ELEMENTS = 32_768;
/** Six arrays of this many floats fit the scratch of a thread. */
const MOST_CHANNELS = 32_768;

export function encodeGroupNorm(kernel: GroupNormKernel, context: EncodeContext): Command[] {
  const plan = planChunks(kernel, 0.6);
  const { batch, groups } = kernel;
  const moments = plan.chunks > 1 ? context.scratch(batch * plan.chunks * 2 * groups * 4) : 0;
  const args = [...plan.words, floatWord(kernel.epsilon)];
  args.push(context.address(kernel.x), context.address(kernel.weight), context.address(kernel.bias));
  args.push(context.address(kernel.output), context.address(kernel.mean), context.address(kernel.rstd), moments);
  if (plan.chunks === 1) return [{ kernel: KernelId.groupNorm, tiles: plan.tiles, args }];
  return [
    { kernel: KernelId.groupNormMoments, tiles: plan.tiles, args },
    { kernel: KernelId.groupNormJoin, tiles: 1, args },
    { kernel: KernelId.groupNormApply, tiles: plan.tiles, args },
  ];
}

export function encodeGroupNormGrad(kernel: GroupNormGradKernel, context: EncodeContext): Command[] {
  const plan = planChunks(kernel, 1);
  const { batch, groups } = kernel;
  const sums = plan.chunks > 1 ? context.scratch(batch * plan.chunks * 2 * groups * 4) : 0;
  const args = [...plan.words, 0, context.address(kernel.x), context.address(kernel.weight)];
  args.push(context.address(kernel.mean), context.address(kernel.rstd));
  args.push(context.address(kernel.dy), context.address(kernel.dx), sums);
  if (plan.chunks === 1) return [{ kernel: KernelId.groupNormGrad, tiles: plan.tiles, args }];
  return [
    { kernel: KernelId.groupNormGradSums, tiles: plan.tiles, args },
    { kernel: KernelId.groupNormGradApply, tiles: plan.tiles, args },
  ];
}

/** Chunks of equal length, and units (a chunk of a batch element) per tile. */
function planChunks({ batch, positions, channels, groups }: GroupNormShape, nanosecondsPerElement: number) {
  if (channels > MOST_CHANNELS) {
    throw kernelTooLarge({
      backend: 'wasm',
      what: `a group norm has ${channels} channels`,
      limit: String(MOST_CHANNELS),
      fix: 'use fewer channels',
    });
  }
  const chunks = Math.ceil((positions * channels) / CHUNK_ELEMENTS);
  const perChunk = Math.ceil(positions / Math.min(chunks, positions));
  const units = batch * Math.ceil(positions / perChunk);
  const perTile = itemsPerTile(units, 60 + perChunk * channels * nanosecondsPerElement);
  return {
    chunks: Math.ceil(positions / perChunk),
    tiles: Math.ceil(units / perTile),
    words: [batch, positions, channels, groups, perChunk, Math.ceil(positions / perChunk), perTile],
  };
}
