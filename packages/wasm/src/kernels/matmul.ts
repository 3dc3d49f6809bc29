/**
 * @file Matrix products. Few rows read b where it lies; otherwise b, and a where that helps, are packed into panels by a first
 * command and multiplied by register tiles; where the output is small and the depth large, the depth is cut into parts, which
 * a last command adds up in order.
 */
import type { MatmulKernel, MatrixOperand } from '@transfusion/tensor';
import type { Command, EncodeContext } from '../command.js';
import type { EncodedExpression } from '../expression.js';
import { KernelId } from '../kernel-id.js';
import { NARROW_TILE_COLUMNS, TILE_ROWS } from '../layout.js';
import { type PackedOperand, packCommand, packedBytes } from './matmul-pack.js';
import { planBlocks } from './matmul-plan.js';
import { combineCommand, encodeEpilogue, withOutput } from './product-output.js';

/** Up to this many rows b is read where it lies, one row of a at a time. */
const ROWS_AT_ONCE = 3;
/**
 * From this many columns on, narrow tiles want a packed too: one stream instead of four rows, 3 to 13 % faster. Wide tiles
 * are as fast with rows where they lie.
 */
const LEAST_COLUMNS_PACKED = 256;
/** A product of a few rows that takes longer is shared between threads. */
const LEAST_SHARED_NANOSECONDS = 6_000;
/** Up to this many rows packing b would cost more than reading it in place. */
const ROWS_UNPACKED = 16;

export function encodeMatmul(kernel: MatmulKernel, context: EncodeContext): Command[] {
  const product = collapseBatch(kernel);
  const { batch, m, n } = kernel;
  const epilogue = encodeEpilogue(kernel.epilogue, [batch, m, n], kernel.output, context);
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

/**
 * Decoding a token is a row of short products, between which no thread falls asleep: worth sharing from a few microseconds
 * on.
 */
function columnsPerTile(batch: number, n: number, nanosecondsPerColumn: number): number {
  const all = batch * n * nanosecondsPerColumn;
  if (all < LEAST_SHARED_NANOSECONDS) return n;
  const wanted = Math.max(2, Math.round(all / LEAST_SHARED_NANOSECONDS)) / batch;
  return Math.max(32, Math.ceil(n / Math.max(1, wanted) / 32) * 32);
}

/** A few rows: a tile is a range of columns, multiples of 32 so that cache lines are not shared. */
function rowsCommand(product: MatmulKernel, epilogue: EncodedExpression | undefined, context: EncodeContext): Command {
  const { batch, m, n, k, a, b } = product;
  // One row reads b at the speed of memory, a few are bound by arithmetic.
  const nanosecondsPerColumn = k * Math.max(0.15, m * 0.08) + m * (epilogue?.cost ?? 0);
  const perTile = columnsPerTile(batch, n, nanosecondsPerColumn);
  const columnTiles = Math.ceil(n / perTile);
  const args = [m, n, k, perTile, columnTiles, context.address(a.buffer), a.batchStride * 4];
  args.push(context.address(b.buffer), b.batchStride * 4);
  const output = { address: context.address(product.output), batchBytes: m * n * 4, epilogue };
  return {
    kernel: b.transpose ? KernelId.matmulDots : KernelId.matmulRows,
    tiles: batch * columnTiles,
    args: withOutput(args, output),
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
  const isNarrow = context.tileColumns === NARROW_TILE_COLUMNS;
  const packsLeft = a.transpose || (isNarrow && n >= LEAST_COLUMNS_PACKED && m > ROWS_UNPACKED);
  if (packsLeft) {
    const strides = a.transpose ? { alongPanel: 4, alongDepth: m * 4 } : { alongPanel: k * 4, alongDepth: 4 };
    const panels = { extent: m, depth: k, lanes: TILE_ROWS, ...strides };
    const packed = packedOperand({ ...panels, source: left.address, batch, operand: a, context });
    packs.push(packed);
    left.address = packed.target;
    left.batchBytes = a.batchStride === 0 ? 0 : packed.targetMatrixBytes;
  }
  const right = {
    address: context.address(b.buffer),
    batchBytes: b.batchStride * 4,
    panelBytes: context.tileColumns * 4,
    depthBytes: n * 4,
  };
  if (b.transpose || m > ROWS_UNPACKED) {
    const strides = b.transpose ? { alongPanel: k * 4, alongDepth: 4 } : { alongPanel: 4, alongDepth: n * 4 };
    const panels = { extent: n, depth: k, lanes: context.tileColumns, ...strides };
    const packed = packedOperand({ ...panels, source: right.address, batch, operand: b, context });
    packs.push(packed);
    right.address = packed.target;
    right.batchBytes = b.batchStride === 0 ? 0 : packed.targetMatrixBytes;
    right.panelBytes = packed.targetPanelBytes;
    right.depthBytes = context.tileColumns * 4;
  }

  // A sum over positions (the gradient of a weight) alone: else a row would depend on how many rows there are.
  const plan = planBlocks(product, { cutDepth: a.transpose });
  const partBytes = batch * m * n * 4;
  const output = plan.parts === 1 ? context.address(product.output) : context.scratch(partBytes * plan.parts);
  const units = batch * plan.parts * plan.rowBlocks * plan.columnBlocks;
  const commands: Command[] = packs.length > 0 ? [packCommand(packs)] : [];
  commands.push({
    kernel: KernelId.matmul,
    tiles: Math.ceil(units / plan.unitsPerTile),
    args: withOutput(
      [
        ...[m, n, k, units, plan.unitsPerTile, plan.blockRows, plan.blockColumns, plan.rowBlocks, plan.columnBlocks],
        ...[plan.parts, plan.partDepth, packsLeft ? 1 : 0, left.address, left.batchBytes, left.rowBytes],
        ...[right.address, right.batchBytes, right.panelBytes, right.depthBytes],
      ],
      { address: output, batchBytes: m * n * 4, partBytes, epilogue: plan.parts === 1 ? epilogue : undefined },
    ),
  });
  if (plan.parts > 1) {
    const target = context.address(product.output);
    commands.push(combineCommand({ elements: batch * m * n, parts: plan.parts, partial: output, target, epilogue }));
  }
  return commands;
}

/** An operand and the scratch memory of its panels. A matrix that serves the whole batch is packed once. */
function packedOperand(
  options: Pick<PackedOperand, 'extent' | 'depth' | 'lanes' | 'alongPanel' | 'alongDepth' | 'source'> & {
    batch: number;
    operand: MatrixOperand;
    context: EncodeContext;
  },
): PackedOperand {
  const { batch, operand, context, ...panels } = options;
  const matrices = operand.batchStride === 0 ? 1 : batch;
  const bytes = packedBytes(panels);
  return {
    ...panels,
    matrices,
    sourceMatrixBytes: operand.batchStride * 4,
    target: context.scratch(matrices * bytes),
    targetMatrixBytes: bytes,
    targetPanelBytes: panels.lanes * panels.depth * 4,
  };
}
