/** @file The command that packs the operands of a matrix product into panels. */
import type { MatrixOperand } from '@transfusion/tensor';
import type { Command } from '../command.js';
import { KernelId } from '../kernel-id.js';
import { itemsPerTile } from '../tiles.js';

export interface PackedOperand {
  /** Byte address of the operand, and of its panels. */
  source: number;
  target: number;
  operand: MatrixOperand;
  batch: number;
  /** Rows of op(a) or columns of op(b). */
  extent: number;
  depth: number;
  /** Rows or columns of a panel: 4 or 8. */
  lanes: number;
  /** Bytes between neighbours along the extent and along the depth; one of them is 4. */
  alongPanel: number;
  alongDepth: number;
}

/** Bytes of the packed operand: a matrix that serves the whole batch is packed once. */
export function packedBytes(packed: Pick<PackedOperand, 'operand' | 'batch' | 'extent' | 'depth' | 'lanes'>): number {
  return matrices(packed) * panels(packed) * packed.lanes * packed.depth * 4;
}

function matrices({ operand, batch }: Pick<PackedOperand, 'operand' | 'batch'>): number {
  return operand.batchStride === 0 ? 1 : batch;
}

function panels({ extent, lanes }: Pick<PackedOperand, 'extent' | 'lanes'>): number {
  return Math.ceil(extent / lanes);
}

/** One command for one or two operands. */
export function packCommand(operands: PackedOperand[]): Command {
  let tiles = 0;
  const args = [operands.length];
  for (const packed of operands) {
    const total = matrices(packed) * panels(packed);
    const perTile = itemsPerTile(total, packed.depth * packed.lanes * 0.3);
    const own = Math.ceil(total / perTile);
    tiles += own;
    args.push(
      ...[
        packed.source,
        packed.operand.batchStride * 4,
        packed.target,
        panels(packed) * packed.lanes * packed.depth * 4,
      ],
      ...[packed.alongPanel, packed.alongDepth, packed.extent, packed.depth, packed.lanes],
      ...[panels(packed), perTile, own, total],
    );
  }
  return { kernel: KernelId.matmulPack, tiles, args };
}
