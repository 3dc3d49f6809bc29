/** @file The elements of a batch's members, cut into pieces for workgroups, and the table that tells where each lies. */
import type { BlockRange, MemoryPlan } from '../runtime/memory-plan.js';
import type { MemberOperand } from './member.js';
import type { Batch } from './plan-batches.js';

export interface Chunks {
  count: number;
  /** Per chunk: its elements (or vectors of four), then where it begins in the window of each operand. */
  table: Uint32Array<ArrayBuffer>;
  /** Numbers in a row of it. */
  rowLength: number;
  /** Of each member: its first chunk, and how many it has. */
  members: { first: number; count: number }[];
}

/** @param most elements of a chunk, a multiple of 4; members end with a shorter one. */
export function chunksOf({ members, windows }: Batch, { places }: MemoryPlan, most: number): Chunks {
  const { width, operands } = members[0];
  const rowLength = 1 + operands.length;
  const counts = members.map(({ elements }) => Math.ceil(elements / most));
  const count = counts.reduce((sum, each) => sum + each, 0);
  const table = new Uint32Array(count * rowLength);
  let chunk = 0;
  const ranges = members.map((member) => {
    const first = chunk;
    const starts = member.operands.map(({ buffer, offset }) => elementsBefore(places[buffer], windows) + offset);
    for (let begin = 0; begin < member.elements; begin += most) {
      const row = chunk++ * rowLength;
      table[row] = Math.min(most, member.elements - begin) / width;
      member.operands.forEach(({ each }, i) => {
        table[row + 1 + i] = each ? (starts[i] + begin) / width : starts[i];
      });
    }
    return { first, count: chunk - first };
  });
  return { count, table, rowLength, members: ranges };
}

/** Elements of the window before the place. */
export function elementsBefore({ block, byteOffset }: BlockRange, windows: readonly BlockRange[]): number {
  return (byteOffset - windowOf(block, windows).byteOffset) / 4;
}

export function windowOf(block: number, windows: readonly BlockRange[]): BlockRange {
  return windows.find((window) => window.block === block)!;
}

/** The windows of the blocks that the operands lie in. */
export function windowsOfOperands(
  operands: readonly MemberOperand[],
  windows: readonly BlockRange[],
  { places }: MemoryPlan,
): BlockRange[] {
  return operands.map(({ buffer }) => windowOf(places[buffer].block, windows));
}
