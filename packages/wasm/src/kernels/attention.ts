/** @file Encodes attention; `assembly/attention.ts` runs it. */
import { type AttentionKernel, TransfusionError } from '@transfusion/tensor';
import { type Command, type EncodeContext, floatWord } from '../command.js';
import { KernelId } from '../kernel-id.js';
import { itemsPerTile } from '../tiles.js';

/** The widest head whose strips and panels fit a thread's scratch, forwards and backwards. */
const MAX_HEAD_DIM = 1024;

/** Queries in a strip: `STRIP` in `assembly/attention-tiles.ts`. */
const QUERIES_PER_STRIP = 8;

/** Throws if a head does not fit the kernels' scratch. */
export function checkHeadDim(headDim: number): void {
  if (headDim <= MAX_HEAD_DIM) return;
  throw new TransfusionError({
    code: 'ATTENTION_HEAD_TOO_WIDE',
    message: `attention: headDim is ${headDim}; the wasm backend's kernels hold at most ${MAX_HEAD_DIM}`,
    fix: 'use more, narrower heads',
  });
}

export function encodeAttention(kernel: AttentionKernel, context: EncodeContext): Command[] {
  const { batch, queries, keys, heads, kvHeads, headDim } = kernel;
  checkHeadDim(headDim);
  // Strips are independent of each other: how many make a tile does not change the result.
  const strips = batch * heads * Math.ceil(queries / QUERIES_PER_STRIP);
  const perTile = itemsPerTile(strips, 200 + keys * (headDim + 12));
  const args = [strips, perTile, queries, keys, heads, kvHeads, headDim, floatWord(kernel.scale)];
  for (const buffer of [kernel.q, kernel.k, kernel.v, kernel.begin, kernel.end, kernel.output, kernel.lse]) {
    args.push(context.address(buffer));
  }
  return [{ kernel: KernelId.attention, tiles: Math.ceil(strips / perTile), args }];
}
