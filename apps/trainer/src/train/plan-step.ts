/** @file Compiles a training step for no device at all: only to learn its FLOPs and memory. */
import { type Backend, BYTES_PER_ELEMENT, type DeviceBuffer, type Program } from '@transfusion/tensor';
import {
  compileAccumulate,
  compileTrainStep,
  compileUpdate,
  createTrainState,
  type TrainStepOptions,
} from './train-step.js';

/** Limits as a CPU has them; nothing is allocated and nothing can run. */
function planningBackend(events: { onBuffer(bytes: number): void; onLoad(program: Program): void }): Backend {
  const buffer = (elements: number): DeviceBuffer => {
    events.onBuffer(elements * BYTES_PER_ELEMENT);
    return {
      elements,
      write() {},
      read: () => Promise.reject(new Error('nothing runs while planning')),
      destroy() {},
    };
  };
  return {
    name: 'plan',
    description: 'plans only',
    limits: { alignment: 64, maxArenaBytes: 2 ** 40, maxBufferBytes: 2 ** 40, maxExpressionInputs: 16, f16: true },
    createBuffer: buffer,
    async load(program) {
      events.onLoad(program);
      const refuse = () => Promise.reject(new Error('nothing runs while planning'));
      return { run: refuse, profile: refuse, dispose() {} };
    },
    stats: () => ({ liveBytes: 0, liveBuffers: 0, builtKernels: 0, buildSeconds: 0, builtBindGroups: 0 }),
    async dispose() {},
  };
}

export interface StepPlan {
  /** Of an optimizer step. */
  flops: number;
  /** Weights, moments, averages, and sums of gradients where batches are accumulated. */
  stateBytes: number;
  /** Scratch memory: activations and gradients. */
  arenaBytes: number;
  /** The most of it that is in use at one moment. */
  liveBytes: number;
}

/** What a training step will take, by compiling it for nothing. */
export async function planTrainStep(options: TrainStepOptions): Promise<StepPlan> {
  const plan: StepPlan = { flops: 0, stateBytes: 0, arenaBytes: 0, liveBytes: 0 };
  const backend = planningBackend({
    onBuffer: (bytes) => {
      plan.stateBytes += bytes;
    },
    onLoad: ({ flops, arenaBytes, liveBytes }) => {
      plan.flops += flops;
      plan.arenaBytes += arenaBytes.reduce((sum, bytes) => sum + bytes, 0);
      plan.liveBytes += liveBytes;
    },
  });
  const state = createTrainState(backend, options, {});
  if (options.accumulation === 1) {
    await compileTrainStep(backend, state, options);
    return plan;
  }
  await compileAccumulate(backend, state, options);
  const { flops } = plan;
  await compileUpdate(backend, state, options);
  return { ...plan, flops: flops * options.accumulation };
}

/** One line for a person. */
export function describeMemory({ stateBytes, arenaBytes }: StepPlan): string {
  return `memory: ${megabytes(stateBytes)} of weights, moments and averages, ${megabytes(arenaBytes)} of activations and gradients`;
}

export function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
