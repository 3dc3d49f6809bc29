/** @file What the lowering of one kernel of a program may know and ask for. */
import type { Program } from '@transfusion/tensor';
import type { DeviceLimits } from '../adapter/limits.js';
import type { KernelContext } from '../kernels/index.js';
import type { LoweringDevice } from '../lowering.js';

/** A byte range of the scratch memory that a program's kernels share, by the number `LoweringContext.scratch` gave. */
export interface ScratchRange {
  byteOffset: number;
  bytes: number;
}

export function kernelContext(options: {
  program: Pick<Program, 'buffers'>;
  lowering: LoweringDevice;
  limits: DeviceLimits;
  chooseVariant?: KernelContext['chooseVariant'];
  choosePlan?: KernelContext['choosePlan'];
}): { context: KernelContext; scratch: ScratchRange[] } {
  const { program, lowering, limits, chooseVariant, choosePlan } = options;
  const alignment = limits.minStorageBufferOffsetAlignment;
  const scratch: ScratchRange[] = [];
  let scratchEnd = 0;
  const context: KernelContext = {
    elements: (buffer) => program.buffers[buffer].elements,
    dtype: (buffer) => (program.buffers[buffer].dtype === 'i32' ? 'i32' : 'f32'),
    isHalf: (buffer) => program.buffers[buffer].dtype === 'f16',
    scratch: (bytes) => {
      scratch.push({ byteOffset: scratchEnd, bytes });
      scratchEnd = Math.ceil((scratchEnd + bytes) / alignment) * alignment;
      return scratch.length - 1;
    },
    scratchBytes: (number) => scratch[number].bytes,
    device: lowering,
    chooseVariant,
    choosePlan,
  };
  return { context, scratch };
}

/** Bytes of memory that holds all the ranges. */
export function scratchEnd(scratch: readonly ScratchRange[]): number {
  return scratch.reduce((end, { byteOffset, bytes }) => Math.max(end, byteOffset + bytes), 0);
}
