/** @file From a program to an executable: lower, allocate, bind and compile. */
import type { Program } from '@transfusion/tensor';
import type { DeviceLimits } from '../adapter/limits.js';
import { lowerBatch } from '../batching/lower-batch.js';
import { planBatches } from '../batching/plan-batches.js';
import type { AttentionPlans } from '../kernels/attention/plan.js';
import { type KernelContext, lowerKernel } from '../kernels/index.js';
import type { Candidates } from '../kernels/products/variant.js';
import type { Dispatch, LoweringDevice } from '../lowering.js';
import type { Tuner } from '../tuning/tuner.js';
import type { WebGpuDeviceBuffer } from './device-buffer.js';
import { withErrorScopes } from './error-scopes.js';
import { WebGpuExecutable } from './executable.js';
import type { Faults } from './faults.js';
import { kernelContext, type ScratchRange, scratchEnd } from './kernel-context.js';
import type { DeviceMemory } from './memory.js';
import { type MemoryPlan, planMemory } from './memory-plan.js';
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
  plans: AttentionPlans;
  /** Absent where nothing is measured. */
  tuner?: Tuner;
}

/** Staging buffers made when a program is loaded: one is read while the next run is submitted. */
const READBACK_SLOTS = 2;

/** Dispatches of one kernel or of several that share them, and the byte ranges of their scratch memory, by number. */
interface LoweredUnit {
  /** The first kernel's position. */
  kernel: number;
  dispatches: Dispatch[];
  scratch: ScratchRange[];
}

export async function loadProgram(
  program: Program,
  states: WebGpuDeviceBuffer[],
  context: LoadContext,
): Promise<WebGpuExecutable> {
  if (context.tuner) await context.tuner.tune(program);
  const plan = planMemory(
    program,
    states.map((state) => state.range),
    context.limits,
  );
  const lowered = lowerProgram(program, plan, context);
  const scratchBytes = Math.max(0, ...lowered.map(({ scratch }) => scratchEnd(scratch)));

  const prepared = await withErrorScopes(context.device, `loading program '${program.name}'`, () => {
    const memory = new ProgramMemory({
      program,
      plan,
      scratchBytes,
      tables: lowered.flatMap(({ dispatches }) => dispatches.flatMap(tablesOf)),
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
    const bound = lowered.flatMap((unit) =>
      unit.dispatches.map((dispatch) => {
        return { kernel: unit.kernel, dispatch, bindGroup: bind(dispatch, unit, memory, context) };
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

/** @param context its tuner decides how products and attention are computed; without one, the first candidates. */
function lowerProgram(program: Program, plan: MemoryPlan, context: LoadContext): LoweredUnit[] {
  const { tuner, candidates, plans, limits } = context;
  const chooseVariant: KernelContext['chooseVariant'] = (product, kernel) =>
    tuner?.choose(product, kernel) ?? candidates(product, kernel)[0];
  const choosePlan: KernelContext['choosePlan'] = (part, kernel) =>
    tuner?.choosePlan(part, kernel) ?? plans(part, kernel)[0];
  return planBatches(program, plan, limits).map((unit): LoweredUnit => {
    const { context: own, scratch } = kernelContext({ program, ...context, chooseVariant, choosePlan });
    if (typeof unit === 'number') {
      return { kernel: unit, dispatches: lowerKernel(program.kernels[unit], own), scratch };
    }
    return { kernel: unit.kernels[0], dispatches: lowerBatch(unit, plan, own), scratch };
  });
}

function tablesOf({ bindings }: Dispatch): Uint32Array<ArrayBuffer>[] {
  return bindings.flatMap((binding) => ('table' in binding ? [binding.table] : []));
}

function bind(dispatch: Dispatch, unit: LoweredUnit, memory: ProgramMemory, context: LoadContext): GPUBindGroup {
  return context.pipelines.bindGroup({
    label: dispatch.label,
    ranges: dispatch.bindings.map((binding) => {
      if ('buffer' in binding) return memory.ranges[binding.buffer];
      if ('window' in binding) return memory.block(binding.window);
      if ('table' in binding) return memory.table(binding.table);
      return { gpu: memory.scratch!, ...unit.scratch[binding.scratch] };
    }),
  });
}
