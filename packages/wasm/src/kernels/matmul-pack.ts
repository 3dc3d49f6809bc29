/** @file The command that packs the operands of a matrix product, or a convolution's filters, into panels. */
import type { Command } from '../command.js';
import { KernelId } from '../kernel-id.js';
import { itemsPerTile } from '../tiles.js';

export interface PackedOperand {
  /** Byte address of the operand, and of its panels. */
  source: number;
  target: number;
  /** Matrices, and bytes between them in the source and in the target. */
  matrices: number;
  sourceMatrixBytes: number;
  targetMatrixBytes: number;
  /** Rows of op(a) or columns of op(b). */
  extent: number;
  depth: number;
  /** Rows or columns of a panel, as many as a register tile has. */
  lanes: number;
  /** Bytes between neighbours along the extent and along the depth; one of them is 4. */
  alongPanel: number;
  alongDepth: number;
  /** Bytes between the panels of one matrix. */
  targetPanelBytes: number;
}

/** Bytes of one packed matrix. */
export function packedBytes({ extent, depth, lanes }: Pick<PackedOperand, 'extent' | 'depth' | 'lanes'>): number {
  return Math.ceil(extent / lanes) * lanes * depth * 4;
}

/** Panels that the kernel packs side by side: `ADJACENT_PANELS` in `assembly/matmul-pack.ts`. */
const PANELS_AT_ONCE = 4;

/** One command for one or two operands. */
export function packCommand(operands: PackedOperand[]): Command {
  let tiles = 0;
  const args = [operands.length];
  for (const packed of operands) {
    const panels = Math.ceil(packed.extent / packed.lanes);
    const total = packed.matrices * panels;
    const perTile = itemsPerTile(total, packed.depth * packed.lanes * 0.3, PANELS_AT_ONCE);
    const own = Math.ceil(total / perTile);
    tiles += own;
    args.push(
      ...[packed.source, packed.sourceMatrixBytes, packed.target, packed.targetMatrixBytes],
      ...[packed.alongPanel, packed.alongDepth, packed.extent, packed.depth, packed.lanes],
      ...[panels, perTile, own, total, packed.targetPanelBytes],
    );
  }
  return { kernel: KernelId.matmulPack, tiles, args };
}
