/** @file What one micro-batch of a step needs of a device, found by compiling it for nothing. */
import { isParameterSpec, type ParameterSpec } from '@transfusion/nn';
import { BYTES_PER_ELEMENT, flattenTree, sizeOf } from '@transfusion/tensor';
import { compileAccumulate, type StepOptions } from '../compile-step.js';
import type { Objective } from '../objective.js';
import { planningBackend } from '../plan-step.js';
import { createTrainState } from '../train-state.js';

export interface StepNeeds {
  /** Of a micro-batch, with what checkpoints compute again. */
  flops: number;
  /** Scratch memory: activations, and gradients until they are added to their sums. */
  arenaBytes: number;
  /** Elements of each parameter, by path. */
  tensors: Map<string, number>;
  /** The buffers of the program that are bound by themselves, largest first: variables by path, scratch by operation. */
  buffers: SizedBuffer[];
}

export interface SizedBuffer {
  name: string;
  bytes: number;
  kind: 'parameter' | 'scratch';
  /** Of this name and size. */
  count: number;
}

/** What adds the gradients of a micro-batch to their sums. Nothing is allocated. @throws what the objective throws */
export async function stepNeeds(objective: Objective, options: Omit<StepOptions, 'accumulation'>): Promise<StepNeeds> {
  const specs = flattenTree<ParameterSpec>(objective.parameters, isParameterSpec);
  const tensors = new Map([...specs].map(([path, { shape }]) => [path, sizeOf(shape)]));
  const parameters = [...tensors].map(([name, elements]): Omit<SizedBuffer, 'count'> => {
    return { name, bytes: elements * BYTES_PER_ELEMENT, kind: 'parameter' };
  });
  const needs: StepNeeds = { flops: 0, arenaBytes: 0, tensors, buffers: [] };
  const { backend } = planningBackend({
    onProgram({ flops, arenaBytes, buffers }) {
      needs.flops = flops;
      needs.arenaBytes = arenaBytes.reduce((sum, bytes) => sum + bytes, 0);
      const scratch = buffers
        .filter(({ storage }) => storage.kind === 'arena')
        .map(({ name, dtype, elements }): Omit<SizedBuffer, 'count'> => {
          return { name, bytes: elements * (dtype === 'f16' ? 2 : BYTES_PER_ELEMENT), kind: 'scratch' };
        });
      needs.buffers = counted([...parameters, ...scratch]);
    },
  });
  const accumulated = { ...options, accumulation: 2 };
  const state = createTrainState(backend, [{ from: 0, objective }], { ...accumulated, values: new Map() });
  await compileAccumulate(backend, state, objective, accumulated);
  return needs;
}

function counted(buffers: readonly Omit<SizedBuffer, 'count'>[]): SizedBuffer[] {
  const known = new Map<string, SizedBuffer>();
  for (const buffer of buffers) {
    const key = `${buffer.kind} ${buffer.name} ${buffer.bytes}`;
    const same = known.get(key);
    if (same) same.count += 1;
    else known.set(key, { ...buffer, count: 1 });
  }
  return [...known.values()].sort((a, b) => b.bytes - a.bytes);
}
