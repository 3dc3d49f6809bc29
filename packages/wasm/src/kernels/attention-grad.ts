/** @file Encodes the gradient of attention; `assembly/attention-grad.ts` and `attention-grad-combine.ts` run it. */
import type { AttentionGradKernel, AttentionShape } from '@transfusion/tensor';
import { type Command, type EncodeContext, floatWord } from '../command.js';
import { KernelId } from '../kernel-id.js';
import { SCRATCH_BYTES, WIDE_TILE_COLUMNS } from '../layout.js';
import { itemsPerTile } from '../tiles.js';
import { checkHeadDim } from './attention.js';

/** With fewer key/value heads than this in the batch, keys are cut into chunks, for threads to share the work. */
const WANTED_UNITS = 16;
/** A chunk should be long beside the strips and panels that each chunk packs again. */
const SMALLEST_CHUNK = 64;

/**
 * The most keys whose gradients fit a thread's scratch, beside what `divideScratch` in the assembly lays out. With the rows
 * of wide tiles in any case: how keys are cut must not depend on the module.
 */
function mostKeysPerChunk(headDim: number): number {
  const rowBytes = Math.ceil(headDim / WIDE_TILE_COLUMNS) * WIDE_TILE_COLUMNS * 4;
  const stripBytes = headDim * 32;
  const keysPerSegment = Math.max(16, Math.min(64, Math.floor(4096 / headDim)));
  const segmentBytes = 2 * 64 * 128 + 2 * keysPerSegment * rowBytes;
  const fixedBytes = 1024 + 12 * stripBytes + 2 * 32 * rowBytes + segmentBytes;
  return Math.floor((SCRATCH_BYTES - fixedBytes) / (2 * rowBytes)) - 3;
}

/** How keys are cut, by the shape alone. */
function planChunks({ batch, queries, keys, heads, kvHeads, headDim }: AttentionShape) {
  const nanoseconds = (batch * heads * queries * keys * (headDim + 12)) / 3;
  const wanted = Math.min(WANTED_UNITS, Math.ceil(nanoseconds / 40_000));
  const shared = Math.min(Math.ceil(wanted / (batch * kvHeads)), Math.ceil(keys / SMALLEST_CHUNK));
  const needed = Math.ceil(keys / mostKeysPerChunk(headDim));
  const keysPerChunk = Math.ceil(keys / Math.max(shared, needed));
  const chunks = Math.ceil(keys / keysPerChunk);
  const units = batch * kvHeads * chunks;
  return { keysPerChunk, chunks, units, perTile: itemsPerTile(units, nanoseconds / units) };
}

export function encodeAttentionGrad(kernel: AttentionGradKernel, context: EncodeContext): Command[] {
  const { batch, queries, keys, heads, kvHeads, headDim } = kernel;
  checkHeadDim(headDim);
  const { keysPerChunk, chunks, units, perTile } = planChunks(kernel);
  const elements = batch * queries * heads * headDim;
  const partBytes = Math.ceil(elements / 16) * 64;
  const dq = context.address(kernel.dq);
  const parts = chunks > 1 ? context.scratch(chunks * partBytes) : dq;
  const args = [units, perTile, queries, keys, heads, kvHeads, headDim, floatWord(kernel.scale)];
  args.push(chunks, keysPerChunk, partBytes, parts);
  for (const buffer of [kernel.q, kernel.k, kernel.v, kernel.begin, kernel.end]) args.push(context.address(buffer));
  for (const buffer of [kernel.lse, kernel.delta, kernel.dOutput, kernel.dk, kernel.dv]) {
    args.push(context.address(buffer));
  }
  const commands: Command[] = [{ kernel: KernelId.attentionGrad, tiles: Math.ceil(units / perTile), args }];
  if (chunks > 1) commands.push(combineCommand(elements, chunks, partBytes, parts, dq));
  return commands;
}

function combineCommand(elements: number, chunks: number, partBytes: number, parts: number, dq: number): Command {
  const perTile = itemsPerTile(elements, 0.2 * chunks, 16);
  const args = [elements, perTile, chunks, partBytes, parts, dq];
  return { kernel: KernelId.attentionGradCombine, tiles: Math.ceil(elements / perTile), args };
}
