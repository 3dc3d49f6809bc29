/** @file The FLOPs and memory of a run's steps, worked out without a device. */
import {
  type Backend,
  type BackendLimits,
  BYTES_PER_ELEMENT,
  type DeviceBuffer,
  flattenTree,
  isVariable,
  type Program,
  sizeOf,
  type Variable,
} from '@transfusion/tensor';
import { compileOwnedUpdate, compileStep, compileUpdate, type StepOptions } from './compile-step.js';
import type { Objective, Phase } from './objective.js';
import { microBatchesOf, type RankPlace, rankGroup, shareOf } from './ranks/rank-group.js';
import { compileGradientSum } from './step-programs.js';
import { createTrainState, ownedState } from './train-state.js';

export interface StepPlan {
  /** Of an optimizer step. */
  flops: number;
  /** Weights, moments, averages, and sums of gradients where batches are accumulated. */
  stateBytes: number;
  /** Weights that are not trained. */
  constantBytes: number;
  /** Scratch memory: activations and gradients. */
  arenaBytes: number;
  /** The most of it that is in use at one moment. */
  liveBytes: number;
}

export interface RunPlan {
  /** Of the last phase that the run gets to. */
  step: StepPlan;
  /** Of all steps. */
  totalFlops: number;
}

export interface PlanOptions extends StepOptions {
  limits?: BackendLimits;
  place?: RankPlace;
  /** Ranks meet now and then: each has a whole state. */
  diloco?: unknown;
}

/**
 * What a run will take, by compiling its steps for nothing.
 * @param constants weights that are not trained, as `TrainingTask` has them; without them they are neither used nor counted
 * @param options `limits` of the device that it will be on (default: none that matters); `place` among the ranks that share the
 *   run: memory is then that of this one, and work that of all
 * @throws what its objectives throw, before the step at which their phase starts; RANKS_*; OutOfMemoryError: a buffer is larger than
 *   the limits allow
 */
export async function planRun(
  phases: readonly Phase[],
  options: PlanOptions,
  steps: number,
  constants?: unknown,
): Promise<RunPlan> {
  let totalFlops = 0;
  let step: StepPlan = { ...NOTHING };
  for (const [i, { from, objective }] of phases.entries()) {
    if (from >= steps && i > 0) break;
    step = await planStep(phases, objective, { ...options, constants });
    const end = Math.min(steps, phases[i + 1]?.from ?? steps);
    totalFlops += (end - from) * step.flops;
  }
  return { step, totalFlops };
}

async function planStep(
  phases: readonly Phase[],
  objective: Objective,
  options: PlanOptions & { constants?: unknown },
): Promise<StepPlan> {
  const { place, accumulation } = options;
  const { backend, plan } = planningBackend(options);
  const group = place && rankGroup(place, phases);
  const own = place ? microBatchesOf(accumulation, place).count : accumulation;
  const share = group && !options.diloco ? shareOf(group) : undefined;
  const state = createTrainState(backend, phases, { ...options, accumulation: own, share, values: new Map() });
  const constants = flattenTree<Variable>(state.constants, isVariable);
  for (const { shape } of constants.values()) plan.constantBytes += sizeOf(shape) * BYTES_PER_ELEMENT;
  plan.stateBytes -= plan.constantBytes;
  if (own === 1 && !share) {
    await compileStep(backend, state, objective, options);
    return { ...plan, flops: plan.flops * accumulation };
  }
  const { flops } = await compileGradientSum(backend, state, objective, { ...options, accumulation: own });
  if (share) await compileOwnedUpdate(backend, ownedState(state, share), objective, options);
  else await compileUpdate(backend, state, objective, options);
  return { ...plan, flops: (flops / own) * accumulation };
}

const NOTHING: StepPlan = { flops: 0, stateBytes: 0, constantBytes: 0, arenaBytes: 0, liveBytes: 0 };

/** Limits as a CPU has them, but for its memory. */
const BOUNDLESS: BackendLimits = {
  alignment: 64,
  maxArenaBytes: 2 ** 40,
  maxBufferBytes: 2 ** 40,
  maxExpressionInputs: 16,
  f16: true,
};

/** A backend on which nothing is allocated and nothing can run; and what it was given. */
export function planningBackend({
  limits = BOUNDLESS,
  onProgram,
}: {
  limits?: BackendLimits;
  onProgram?: (program: Program) => void;
} = {}): { backend: Backend; plan: StepPlan } {
  const plan: StepPlan = { ...NOTHING };
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
    limits,
    createBuffer,
    async load(program) {
      add(program);
      onProgram?.(program);
      return { run: refuse, profile: refuse, dispose() {} };
    },
    stats: () => ({ liveBytes: 0, liveBuffers: 0, builtKernels: 0, buildSeconds: 0, builtBindGroups: 0 }),
    async dispose() {},
  };
  return { backend, plan };
}

/** One line for a person. */
export function describeMemory({ stateBytes, constantBytes, arenaBytes }: StepPlan): string {
  const constant = constantBytes > 0 ? `${mebibytes(constantBytes)} of weights that stay, ` : '';
  return `memory: ${constant}${mebibytes(stateBytes)} of weights, moments and averages, ${mebibytes(arenaBytes)} of activations and gradients`;
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
