/** @file Rows by index: gather, scatter-add, and writing rows in place. */
import { type KernelDescriptor, memoryBound, reads, updates, writes } from './descriptor.js';
import type { BufferIndex } from './operand.js';

/** Indices that name rows of `width` elements, of which `tableRows` are there to be named. */
export interface RowsShape {
  rows: number;
  tableRows: number;
  width: number;
}

/** output[i] = table[indices[i]], rows of `width` elements; zeros where the index is outside [0, tableRows). */
export interface GatherKernel extends RowsShape {
  kind: 'gather';
  table: BufferIndex;
  indices: BufferIndex;
  output: BufferIndex;
}

export const gather: KernelDescriptor<GatherKernel> = {
  family: 'other',
  operands: { table: reads('plain', namedElements), indices: reads('exact'), output: writes('plain') },
  flops: memoryBound,
};

/**
 * output[r] = sum of updates[i] over all i with indices[i] == r, in increasing i; rows nobody names are zero.
 * Indices outside [0, tableRows) are skipped. Deterministic.
 */
export interface ScatterAddKernel extends RowsShape {
  kind: 'scatterAdd';
  updates: BufferIndex;
  indices: BufferIndex;
  output: BufferIndex;
}

export const scatterAdd: KernelDescriptor<ScatterAddKernel> = {
  family: 'other',
  operands: { updates: reads('plain'), indices: reads('exact'), output: writes('exact') },
  flops: memoryBound,
};

/** In place: target[indices[i]] = values[i]; indices outside [0, tableRows) are skipped, and must not repeat. */
export interface WriteRowsKernel extends RowsShape {
  kind: 'writeRows';
  target: BufferIndex;
  indices: BufferIndex;
  values: BufferIndex;
}

export const writeRows: KernelDescriptor<WriteRowsKernel> = {
  family: 'other',
  operands: { target: updates('exact', namedElements), indices: reads('exact'), values: reads('plain') },
  flops: memoryBound,
};

/** As many as the indices name, however many rows there are. */
function namedElements({ rows, width }: RowsShape): number {
  return rows * width;
}
