/** @file The FLOPs and memory of a training step, worked out without a device. */
import { planningBackend, type StepPlan } from './planning-backend.js';
import {
  compileAccumulate,
  compileTrainStep,
  compileUpdate,
  createTrainState,
  type TrainStepOptions,
} from './train-step.js';

/** What a training step will take, by compiling it for nothing. */
export async function planTrainStep(options: TrainStepOptions): Promise<StepPlan> {
  const { backend, plan } = planningBackend();
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
