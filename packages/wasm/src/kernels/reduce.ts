/**
 * @file Reductions. Where the reduced axes are the inner ones in memory, rows are reduced; where the kept ones are,
 * columns. Long reductions with few results are cut into chunks, whose results a second command reduces.
 */
import type { ReduceKernel, View } from '@transfusion/tensor';
import type { Command, EncodeContext } from '../command.js';
import { type EncodedExpression, encodeExpression } from '../expression.js';
import { KernelId } from '../kernel-id.js';
import { REGISTER_BYTES } from '../layout.js';
import { itemsPerTile } from '../tiles.js';
import { product } from '../views.js';

/** Elements of a chunk: enough to pay for a tile, few enough to share a long reduction among many threads. */
const CHUNK_ELEMENTS = 32768;
const COLUMNS_PER_TILE = 1024;

interface Source {
  inputs: { view: View; address: number }[];
  expression: ReduceKernel['expression'];
}

export function encodeReduce(kernel: ReduceKernel, context: EncodeContext): Command[] {
  const source: Source = {
    inputs: kernel.inputs.map((view) => ({ view, address: context.address(view.buffer) })),
    expression: kernel.expression,
  };
  const output = context.address(kernel.output);
  return prefersColumns(kernel)
    ? columnCommands(kernel, source, output, context)
    : rowCommands(kernel, source, output, context);
}

/** Whether most inputs have their smallest step along a kept axis. */
function prefersColumns(kernel: ReduceKernel): boolean {
  const innermost = (view: View, from: number, to: number) => {
    for (let axis = to - 1; axis >= from; axis--) if (kernel.shape[axis] > 1) return view.strides[axis];
    return 0;
  };
  let votes = 0;
  for (const view of kernel.inputs) {
    const kept = innermost(view, 0, kernel.keptRank);
    const reduced = innermost(view, kernel.keptRank, kernel.shape.length);
    if (kept !== 0 && (reduced === 0 || kept < reduced)) votes++;
    else if (reduced !== 0) votes--;
  }
  return votes > 0;
}

/** An expression that just reads `count` contiguous elements: the second pass over chunks' results. */
function plain(count: number, address: number): EncodedExpression {
  const view: View = { buffer: -1, offset: 0, strides: [1] };
  return encodeExpression([count], [{ view, address }], [{ op: 'load', input: 0 }]);
}

function rowCommands(kernel: ReduceKernel, source: Source, output: number, context: EncodeContext): Command[] {
  const rows = product(kernel.shape.slice(0, kernel.keptRank));
  const length = product(kernel.shape.slice(kernel.keptRank));
  const encoded = encodeExpression(kernel.shape, source.inputs, source.expression);
  // Enough rows make enough tiles by themselves.
  const chunks = rows >= 32 ? 1 : Math.ceil(length / CHUNK_ELEMENTS);
  if (chunks === 1) return [rowCommand(kernel, encoded, { rows, length, chunk: length, chunks: 1, output })];
  const chunk = Math.ceil(length / chunks / encoded.block) * encoded.block;
  const used = Math.ceil(length / chunk);
  const partial = context.scratch(rows * used * 4);
  return [
    rowCommand(kernel, encoded, { rows, length, chunk, chunks: used, output: partial }),
    rowCommand(kernel, plain(rows * used, partial), { rows, length: used, chunk: used, chunks: 1, output }),
  ];
}

function rowCommand(
  kernel: ReduceKernel,
  encoded: EncodedExpression,
  rows: { rows: number; length: number; chunk: number; chunks: number; output: number },
): Command {
  const segments = rows.rows * rows.chunks;
  const perTile = itemsPerTile(segments, Math.min(rows.chunk, rows.length) * encoded.cost + 20);
  return {
    kernel: KernelId.reduceRows,
    tiles: Math.ceil(segments / perTile),
    args: [
      ...[rows.rows, rows.length, rows.chunk, rows.chunks, perTile, rows.output],
      ...[kernel.op === 'max' ? 1 : 0, encoded.block, 9, ...encoded.words],
    ],
  };
}

/**
 * Splits the kept axes into outer ones and the inner ones that the largest inputs walk in one run, and orders the iteration
 * space [outer kept, reduced, inner kept].
 */
function columnCommands(kernel: ReduceKernel, source: Source, output: number, context: EncodeContext): Command[] {
  const { shape, keptRank } = kernel;
  let split = keptRank - 1;
  const largest = largestViews(kernel);
  while (split > 0 && largest.every((view) => mergesWithOuter(view, shape, split))) split--;
  const order = [
    ...range(0, split), //
    ...range(keptRank, shape.length),
    ...range(split, keptRank),
  ];
  const permuted = order.map((axis) => shape[axis]);
  const inputs = source.inputs.map(({ view, address }) => ({
    view: { ...view, strides: order.map((axis) => view.strides[axis]) },
    address,
  }));
  const encoded = encodeExpression(permuted, inputs, source.expression);
  const outer = product(shape.slice(0, split));
  const length = product(shape.slice(keptRank));
  const columns = product(shape.slice(split, keptRank));
  const perTile = Math.min(columns, encoded.block, COLUMNS_PER_TILE);
  const columnTiles = Math.ceil(columns / perTile);

  const enough = outer * columnTiles >= 32;
  const rowsPerChunk = Math.max(32, Math.ceil(CHUNK_ELEMENTS / (perTile * Math.max(1, encoded.cost * 2))));
  const chunks = enough ? 1 : Math.ceil(length / rowsPerChunk);
  const sizes = { outer, length, columns, perTile, columnTiles };
  if (chunks === 1) return [columnCommand(kernel, encoded, { ...sizes, chunk: length, chunks: 1, output })];
  const chunk = Math.ceil(length / chunks);
  const used = Math.ceil(length / chunk);
  const partial = context.scratch(outer * used * columns * 4);
  const second = plain(outer * used * columns, partial);
  const secondPerTile = Math.min(columns, second.block, COLUMNS_PER_TILE);
  return [
    columnCommand(kernel, encoded, { ...sizes, chunk, chunks: used, output: partial }),
    columnCommand(kernel, second, {
      ...{ outer, length: used, columns, perTile: secondPerTile, columnTiles: Math.ceil(columns / secondPerTile) },
      ...{ chunk: used, chunks: 1, output },
    }),
  ];
}

/** Those that read the most elements: it matters little how the others, which are broadcast, are walked. */
function largestViews({ shape, inputs }: ReduceKernel): View[] {
  const elements = inputs.map(({ strides }) => product(shape.filter((_, axis) => strides[axis] !== 0)));
  return inputs.filter((_, i) => elements[i] === Math.max(...elements));
}

function mergesWithOuter(view: View, shape: number[], axis: number): boolean {
  return view.strides[axis - 1] === view.strides[axis] * shape[axis];
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

function columnCommand(
  kernel: ReduceKernel,
  encoded: EncodedExpression,
  sizes: {
    outer: number;
    length: number;
    columns: number;
    chunk: number;
    chunks: number;
    perTile: number;
    columnTiles: number;
    output: number;
  },
): Command {
  return {
    kernel: KernelId.reduceColumns,
    tiles: sizes.outer * sizes.chunks * sizes.columnTiles,
    args: [
      ...[sizes.length, sizes.columns, sizes.chunk, sizes.chunks, sizes.perTile, sizes.columnTiles, sizes.output],
      ...[kernel.op === 'max' ? 1 : 0, encoded.block, 11, REGISTER_BYTES, ...encoded.words],
    ],
  };
}
