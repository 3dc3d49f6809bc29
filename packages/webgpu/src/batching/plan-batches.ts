/** @file Which kernels of a program share a dispatch, and the order in which all of them run. */
import { type Kernel, operandsOf, type Program } from '@transfusion/tensor';
import type { DeviceLimits } from '../adapter/limits.js';
import type { BlockRange, MemoryPlan } from '../runtime/memory-plan.js';
import { type Member, memberOf } from './member.js';

/** Members that do the same and lie in the same blocks of memory. */
export interface Batch {
  /** By position in `Program.kernels`. */
  kernels: number[];
  members: Member[];
  /** What it binds, one of each block. */
  windows: BlockRange[];
}

/** A kernel by its position, or a batch of them. */
export type Unit = number | Batch;

/** Bindings besides the blocks: the table of the members' places, and partial results. */
const OWN_BINDINGS = 2;

interface Access extends BlockRange {
  writes: boolean;
}

/**
 * The units in an order that computes the same: a kernel joins an earlier batch where nothing in between, and nothing in the
 * batch, writes what it reads or touches what it writes.
 */
export function planBatches(program: Program, plan: MemoryPlan, limits: DeviceLimits): Unit[] {
  const accesses = program.kernels.map((kernel) => accessesOf(kernel, plan));
  const units: Batch[] = [];
  const open = new Map<string, number>();
  program.kernels.forEach((kernel, position) => {
    const member = memberOf(kernel, program, plan);
    const windows = member?.operands.map(({ buffer }) => plan.places[buffer]) ?? [];
    if (!member) {
      units.push({ kernels: [position], members: [], windows });
      return;
    }
    const blocks = member.operands.map(({ buffer, each }) => [plan.places[buffer].block, each]);
    const key = JSON.stringify([member.operation, blocks]);
    const at = open.get(key);
    if (at !== undefined && isFree(accesses[position], units.slice(at), accesses)) {
      const joined = windowsOf([...units[at].windows, ...windows]);
      if (fits(joined, limits)) {
        units[at].kernels.push(position);
        units[at].members.push(member);
        units[at].windows = joined;
        return;
      }
    }
    open.set(key, units.length);
    units.push({ kernels: [position], members: [member], windows: windowsOf(windows) });
  });
  return units.map((unit) => (unit.kernels.length > 1 ? unit : unit.kernels[0]));
}

/** Whether a kernel may run beside the first of the units, before the others. */
function isFree(own: readonly Access[], units: readonly Batch[], accesses: readonly Access[][]): boolean {
  return !units.some(({ kernels }) =>
    kernels.some((kernel) =>
      accesses[kernel].some((other) => own.some((each) => (each.writes || other.writes) && overlap(each, other))),
    ),
  );
}

function overlap(a: BlockRange, b: BlockRange): boolean {
  return a.block === b.block && a.byteOffset < b.byteOffset + b.bytes && b.byteOffset < a.byteOffset + a.bytes;
}

function accessesOf(kernel: Kernel, { places }: MemoryPlan): Access[] {
  return operandsOf(kernel).map(({ buffer, use }) => ({ ...places[buffer], writes: use.access !== 'read' }));
}

/** One range for each block, over all of the ranges in it. */
function windowsOf(ranges: readonly BlockRange[]): BlockRange[] {
  const windows = new Map<number, BlockRange>();
  for (const { block, byteOffset, bytes } of ranges) {
    const known = windows.get(block);
    const begin = Math.min(byteOffset, known?.byteOffset ?? byteOffset);
    const end = Math.max(byteOffset + bytes, known ? known.byteOffset + known.bytes : 0);
    // Whole vectors: what lies behind is of the same block.
    windows.set(block, { block, byteOffset: begin, bytes: Math.ceil((end - begin) / 16) * 16 });
  }
  return [...windows.values()];
}

function fits(windows: readonly BlockRange[], limits: DeviceLimits): boolean {
  return (
    windows.length + OWN_BINDINGS <= limits.maxStorageBuffersPerShaderStage &&
    windows.every(({ bytes }) => bytes <= limits.maxStorageBufferBindingSize)
  );
}
