/** @file From a program to an executable: lower, allocate, bind and compile. */
import type { Program } from '@transfusion/tensor';
import type { DeviceLimits } from '../adapter/limits.js';
import { lowerKernel } from '../kernels/index.js';
import type { Candidates, ProductContext } from '../kernels/products/variant.js';
import type { Dispatch, LoweringDevice } from '../lowering.js';
import type { Tuner } from '../tuning/tuner.js';
import type { WebGpuDeviceBuffer } from './device-buffer.js';
import { withErrorScopes } from './error-scopes.js';
import { WebGpuExecutable } from './executable.js';
import type { Faults } from './faults.js';
import { kernelContext, type ScratchRange, scratchEnd } from './kernel-context.js';
import type { DeviceMemory } from './memory.js';
import type { PipelineCache } from './pipelines.js';
import type { PreparedDispatch } from './prepared-dispatch.js';
import { ProgramMemory } from './program-memory.js';
import { ReadbackRing } from './readback.js';

/** What loading needs of a backend. */
export interface LoadContext {
  device: GPUDevice;
  limits: DeviceLimits;
  lowering: LoweringDevice;
  memory: DeviceMemory;
  pipelines: PipelineCache;
  faults: Faults;
  candidates: Candidates;
  /** Absent where nothing is measured. */
  tuner?: Tuner;
}

/** Staging buffers made when a program is loaded: one is read while the next run is submitted. */
const READBACK_SLOTS = 2;

/** Dispatches of one kernel and the byte ranges of its scratch memory, by number. */
interface LoweredKernel {
  dispatches: Dispatch[];
  scratch: ScratchRange[];
}

export async function loadProgram(
  program: Program,
  states: WebGpuDeviceBuffer[],
  context: LoadContext,
): Promise<WebGpuExecutable> {
  if (context.tuner) await context.tuner.tune(program);
  const lowered = lowerProgram(program, context);
  const scratchBytes = Math.max(0, ...lowered.map(({ scratch }) => scratchEnd(scratch)));

  const prepared = await withErrorScopes(context.device, `loading program '${program.name}'`, () => {
    const memory = new ProgramMemory({
      program,
      states: states.map((state) => state.gpu),
      scratchBytes,
      memory: context.memory,
      device: context.device,
      limits: context.limits,
    });
    const ranges = program.outputs.map((output) => {
      const { gpu, byteOffset, bytes } = memory.ranges[output];
      return { source: gpu, byteOffset, bytes };
    });
    const outputs =
      ranges.length > 0
        ? new ReadbackRing({ memory: context.memory, name: program.name, ranges, slots: READBACK_SLOTS })
        : undefined;
    const free = () => {
      memory.destroy();
      outputs?.destroy();
    };
    const bound = lowered.flatMap((kernel, number) =>
      kernel.dispatches.map((dispatch) => {
        return { kernel: number, dispatch, bindGroup: bind(dispatch, kernel, memory, context) };
      }),
    );
    return { value: { memory, outputs, bound, free }, free };
  });

  try {
    const dispatches = await Promise.all(
      prepared.bound.map(async ({ kernel, dispatch, bindGroup }): Promise<PreparedDispatch> => {
        const { label, code, bindings, workgroups } = dispatch;
        const pipeline = await context.pipelines.get({ label, code, bindingCount: bindings.length });
        return { kernel, label, pipeline, bindGroup, workgroups };
      }),
    );
    context.faults.check();
    const { memory, outputs } = prepared;
    return new WebGpuExecutable({
      program,
      states,
      device: context.device,
      faults: context.faults,
      memory,
      dispatches,
      outputs,
    });
  } catch (error) {
    prepared.free();
    context.faults.check();
    throw error;
  }
}

/** @param context its tuner decides how products are computed; without one, the first candidate. */
function lowerProgram(program: Program, context: LoadContext): LoweredKernel[] {
  const { tuner, candidates } = context;
  const chooseVariant: ProductContext['chooseVariant'] = (product, kernel) =>
    tuner?.choose(product, kernel) ?? candidates(product, kernel)[0];
  return program.kernels.map((kernel) => {
    const { context: own, scratch } = kernelContext({ program, ...context, chooseVariant });
    return { dispatches: lowerKernel(kernel, own), scratch };
  });
}

function bind(dispatch: Dispatch, kernel: LoweredKernel, memory: ProgramMemory, context: LoadContext): GPUBindGroup {
  return context.pipelines.bindGroup({
    label: dispatch.label,
    ranges: dispatch.bindings.map((binding) => {
      if ('buffer' in binding) return memory.ranges[binding.buffer];
      return { gpu: memory.scratch!, ...kernel.scratch[binding.scratch] };
    }),
  });
}
