/**
 * @file Matrix products. Few rows read b where it lies; otherwise operands are packed into panels by a first command
 * and multiplied by register tiles; where the output is small and the depth large, the depth is cut into parts, which
 * a last command adds up in order.
 */
import type { MatmulKernel } from '@transfusion/tensor';
import type { Command, EncodeContext } from '../command.js';
import { type EncodedExpression, encodeExpression } from '../expression.js';
import { KernelId } from '../kernel-id.js';
import { itemsPerTile } from '../tiles.js';
import { rowMajorStrides } from '../views.js';
import { type PackedOperand, packCommand, packedBytes } from './matmul-pack.js';
import { planBlocks } from './matmul-plan.js';

/** Up to this many rows b is read where it lies, one row of a at a time. */
const ROWS_AT_ONCE = 3;
/** From this many columns on, a is packed too: one stream instead of four rows, 3 % faster at 1024. */
const LEAST_COLUMNS_PACKED = 256;
/** Up to this many rows packing b would cost more than reading it in place. */
const ROWS_UNPACKED = 16;
/** Words of the commands' arguments; the epilogue's expression follows. */
const ARGUMENT_WORDS = 24;
/** Word of the output's address, in all of them. */
const OUTPUT_WORD = 19;
const COLUMNS_PER_PANEL = 8;
const ROWS_PER_PANEL = 4;

export function encodeMatmul(kernel: MatmulKernel, context: EncodeContext): Command[] {
  const product = collapseBatch(kernel);
  const epilogue = encodeEpilogue(kernel, context);
  if (!product.a.transpose) {
    if (product.b.transpose && product.m <= ROWS_UNPACKED) return [rowsCommand(product, epilogue, context)];
    if (!product.b.transpose && product.m <= ROWS_AT_ONCE) return [rowsCommand(product, epilogue, context)];
  }
  return blockCommands(product, epilogue, context);
}

/** One b for a batch of row-major matrices a: a single taller product. */
function collapseBatch(kernel: MatmulKernel): MatmulKernel {
  const { batch, m, k, a, b } = kernel;
  if (batch === 1 || b.batchStride !== 0 || a.transpose || a.batchStride !== m * k) return kernel;
  return { ...kernel, batch: 1, m: batch * m, a: { ...a, batchStride: 0 } };
}

function encodeEpilogue(kernel: MatmulKernel, context: EncodeContext): EncodedExpression | undefined {
  if (!kernel.epilogue) return undefined;
  const shape = [kernel.batch, kernel.m, kernel.n];
  const own = { buffer: kernel.output, offset: 0, strides: rowMajorStrides(shape) };
  const inputs = [own, ...kernel.epilogue.views].map((view) => ({ view, address: context.address(view.buffer) }));
  return encodeExpression(shape, inputs, kernel.epilogue.expression);
}

/** Words 19 to 23, which all products share, and the epilogue behind them. */
function outputWords(output: number, batchBytes: number, partBytes: number, epilogue: EncodedExpression | undefined) {
  return [
    output,
    batchBytes,
    partBytes,
    epilogue ? ARGUMENT_WORDS : 0,
    epilogue?.block ?? 0,
    ...(epilogue?.words ?? []),
  ];
}

/** A few rows: a tile is a range of columns, multiples of 32 so that cache lines are not shared. */
function rowsCommand(product: MatmulKernel, epilogue: EncodedExpression | undefined, context: EncodeContext): Command {
  const { batch, m, n, k, a, b } = product;
  const nanosecondsPerColumn = k * Math.max(0.25, m * 0.08) + m * (epilogue?.cost ?? 0);
  const perTile = batch * n * nanosecondsPerColumn < 40_000 ? n : itemsPerTile(n, nanosecondsPerColumn, 32);
  const columnTiles = Math.ceil(n / perTile);
  const args = [m, n, k, perTile, columnTiles, context.address(a.buffer), a.batchStride * 4];
  args.push(context.address(b.buffer), b.batchStride * 4);
  while (args.length < OUTPUT_WORD) args.push(0);
  return {
    kernel: b.transpose ? KernelId.matmulDots : KernelId.matmulRows,
    tiles: batch * columnTiles,
    args: [...args, ...outputWords(context.address(product.output), m * n * 4, 0, epilogue)],
  };
}

function blockCommands(
  product: MatmulKernel,
  epilogue: EncodedExpression | undefined,
  context: EncodeContext,
): Command[] {
  const { batch, m, n, k, a, b } = product;
  const packs: PackedOperand[] = [];
  const left = { address: context.address(a.buffer), batchBytes: a.batchStride * 4, rowBytes: k * 4 };
  const packsLeft = a.transpose || (n >= LEAST_COLUMNS_PACKED && m > ROWS_UNPACKED);
  if (packsLeft) {
    const operand = { source: left.address, operand: a, batch, extent: m, depth: k, lanes: ROWS_PER_PANEL };
    const strides = a.transpose ? { alongPanel: 4, alongDepth: m * 4 } : { alongPanel: k * 4, alongDepth: 4 };
    const packed = { ...operand, ...strides, target: context.scratch(packedBytes(operand)) };
    packs.push(packed);
    left.address = packed.target;
    left.batchBytes = a.batchStride === 0 ? 0 : Math.ceil(m / ROWS_PER_PANEL) * ROWS_PER_PANEL * k * 4;
  }
  const right = {
    address: context.address(b.buffer),
    batchBytes: b.batchStride * 4,
    panelBytes: 32,
    depthBytes: n * 4,
  };
  if (b.transpose || m > ROWS_UNPACKED) {
    const operand = { source: right.address, operand: b, batch, extent: n, depth: k, lanes: COLUMNS_PER_PANEL };
    const strides = b.transpose ? { alongPanel: k * 4, alongDepth: 4 } : { alongPanel: 4, alongDepth: n * 4 };
    const packed = { ...operand, ...strides, target: context.scratch(packedBytes(operand)) };
    packs.push(packed);
    right.address = packed.target;
    right.batchBytes = b.batchStride === 0 ? 0 : Math.ceil(n / COLUMNS_PER_PANEL) * COLUMNS_PER_PANEL * k * 4;
    right.panelBytes = k * 32;
    right.depthBytes = 32;
  }

  const plan = planBlocks(product);
  const partBytes = batch * m * n * 4;
  const output = plan.parts === 1 ? context.address(product.output) : context.scratch(partBytes * plan.parts);
  const units = batch * plan.parts * plan.rowBlocks * plan.columnBlocks;
  const commands: Command[] = packs.length > 0 ? [packCommand(packs)] : [];
  commands.push({
    kernel: KernelId.matmul,
    tiles: Math.ceil(units / plan.unitsPerTile),
    args: [
      ...[m, n, k, units, plan.unitsPerTile, plan.blockRows, plan.blockColumns, plan.rowBlocks, plan.columnBlocks],
      ...[plan.parts, plan.partDepth, packsLeft ? 1 : 0, left.address, left.batchBytes, left.rowBytes],
      ...[right.address, right.batchBytes, right.panelBytes, right.depthBytes],
      ...outputWords(output, m * n * 4, partBytes, plan.parts === 1 ? epilogue : undefined),
    ],
  });
  if (plan.parts > 1) commands.push(combineCommand(product, plan.parts, output, epilogue, context));
  return commands;
}

function combineCommand(
  product: MatmulKernel,
  parts: number,
  partial: number,
  epilogue: EncodedExpression | undefined,
  context: EncodeContext,
): Command {
  const elements = product.batch * product.m * product.n;
  const perTile = itemsPerTile(elements, 0.2 * parts + (epilogue?.cost ?? 0), 256);
  const args = [elements, perTile, parts, elements * 4, partial];
  while (args.length < OUTPUT_WORD) args.push(0);
  return {
    kernel: KernelId.matmulCombine,
    tiles: Math.ceil(elements / perTile),
    args: [...args, ...outputWords(context.address(product.output), 0, 0, epilogue)],
  };
}
