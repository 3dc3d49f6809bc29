/** @file Compiles a training step for no device at all: only to learn its FLOPs and memory. */
import type { Backend, DeviceBuffer, Program } from '@transfusion/tensor';
import {
  compileAccumulate,
  compileTrainStep,
  compileUpdate,
  createTrainState,
  type TrainStepOptions,
} from './train-step.js';

/** Limits as a CPU has them; nothing is allocated and nothing can run. */
function planningBackend(onLoad: (program: Program) => void): Backend {
  const buffer = (elements: number): DeviceBuffer => ({
    elements,
    write() {},
    read: () => Promise.reject(new Error('nothing runs while planning')),
    destroy() {},
  });
  return {
    name: 'plan',
    description: 'plans only',
    limits: { alignment: 64, maxArenaBytes: 2 ** 40, maxBufferBytes: 2 ** 40, maxExpressionInputs: 16, f16: true },
    createBuffer: buffer,
    async load(program) {
      onLoad(program);
      const refuse = () => Promise.reject(new Error('nothing runs while planning'));
      return { run: refuse, profile: refuse, dispose() {} };
    },
    stats: () => ({ liveBytes: 0, liveBuffers: 0, builtKernels: 0, builtBindGroups: 0 }),
    async dispose() {},
  };
}

export async function planTrainStep(options: TrainStepOptions): Promise<{ flops: number; arenaBytes: number }> {
  const plan = { flops: 0, arenaBytes: 0 };
  const backend = planningBackend(({ flops, arenaBytes }) => {
    plan.flops += flops;
    plan.arenaBytes += arenaBytes.reduce((sum, bytes) => sum + bytes, 0);
  });
  const state = createTrainState(backend, options, {});
  if (options.accumulation === 1) {
    await compileTrainStep(backend, state, options);
    return plan;
  }
  await compileAccumulate(backend, state, options);
  const { flops } = plan;
  await compileUpdate(backend, state, options);
  return { flops: flops * options.accumulation, arenaBytes: plan.arenaBytes };
}
