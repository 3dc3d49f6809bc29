/** @file Encodes attention; `assembly/attention.ts` runs it. */
import { type AttentionKernel, kernelTooLarge } from '@transfusion/tensor';
import { type Command, type EncodeContext, floatWord } from '../command.js';
import { KernelId } from '../kernel-id.js';
import { SCRATCH_BYTES } from '../layout.js';
import { itemsPerTile } from '../tiles.js';

/** The widest head whose strips and panels fit a thread's scratch, forwards and backwards. */
const MAX_HEAD_DIM = 1024;

/** `BLOCK` in `assembly/attention.ts`. */
const QUERIES_PER_BLOCK = 32;
/** Up to this many queries of a sequence are worked off one by one: strips of eight would be mostly idle. */
const MOST_SINGLE_QUERIES = 2;
/** Keys whose scores of one query surely fit a thread's scratch. */
const MOST_KEYS_AT_ONCE = SCRATCH_BYTES / 8;

/** Throws if a head does not fit the kernels' scratch. */
export function checkHeadDim(headDim: number): void {
  if (headDim <= MAX_HEAD_DIM) return;
  throw kernelTooLarge({
    backend: 'wasm',
    what: `attention: headDim is ${headDim}`,
    limit: String(MAX_HEAD_DIM),
    fix: 'use more, narrower heads',
  });
}

export function encodeAttention(kernel: AttentionKernel, context: EncodeContext): Command[] {
  const { batch, queries, keys, heads, kvHeads, headDim, sharedKeys } = kernel;
  checkHeadDim(headDim);
  const rowwise = queries <= MOST_SINGLE_QUERIES && keys <= MOST_KEYS_AT_ONCE;
  // Blocks are independent of each other: how many make a tile does not change the result.
  const blocks = batch * heads * (rowwise ? queries : Math.ceil(queries / QUERIES_PER_BLOCK));
  const strips = rowwise ? 1 : Math.ceil(Math.min(queries, QUERIES_PER_BLOCK) / 8);
  const perTile = itemsPerTile(blocks, 200 + strips * keys * (headDim + 12) * (rowwise ? 0.25 : 0.8));
  const args = [blocks, perTile, queries, keys, heads, kvHeads, headDim, floatWord(kernel.scale), Number(rowwise)];
  for (const buffer of [kernel.q, kernel.k, kernel.v, kernel.begin, kernel.end, kernel.output, kernel.lse]) {
    args.push(context.address(buffer));
  }
  // Keys from one of the batch to the next.
  args.push(sharedKeys ? 0 : keys);
  return [{ kernel: KernelId.attention, tiles: Math.ceil(blocks / perTile), args }];
}
