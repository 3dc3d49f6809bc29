/** @file A backend for no device at all: compiling for it tells what a program would take. */
import { type Backend, BYTES_PER_ELEMENT, type DeviceBuffer, type Program } from '@transfusion/tensor';

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

/** A backend with limits as a CPU has them, on which nothing is allocated and nothing can run; and what it was given. */
export function planningBackend(): { backend: Backend; plan: StepPlan } {
  const plan: StepPlan = { flops: 0, stateBytes: 0, arenaBytes: 0, liveBytes: 0 };
  const refuse = () => Promise.reject(new Error('nothing runs while planning'));
  const createBuffer = (elements: number): DeviceBuffer => {
    plan.stateBytes += elements * BYTES_PER_ELEMENT;
    return { elements, write() {}, read: refuse, destroy() {} };
  };
  const add = ({ flops, arenaBytes, liveBytes }: Program) => {
    plan.flops += flops;
    plan.arenaBytes += arenaBytes.reduce((sum, bytes) => sum + bytes, 0);
    plan.liveBytes += liveBytes;
  };
  const backend: Backend = {
    name: 'plan',
    description: 'plans only',
    limits: { alignment: 64, maxArenaBytes: 2 ** 40, maxBufferBytes: 2 ** 40, maxExpressionInputs: 16, f16: true },
    createBuffer,
    async load(program) {
      add(program);
      return { run: refuse, profile: refuse, dispose() {} };
    },
    stats: () => ({ liveBytes: 0, liveBuffers: 0, builtKernels: 0, buildSeconds: 0, builtBindGroups: 0 }),
    async dispose() {},
  };
  return { backend, plan };
}

/** One line for a person. */
export function describeMemory({ stateBytes, arenaBytes }: StepPlan): string {
  return `memory: ${megabytes(stateBytes)} of weights, moments and averages, ${megabytes(arenaBytes)} of activations and gradients`;
}

export function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
