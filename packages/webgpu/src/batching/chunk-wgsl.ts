/** @file What a workgroup reads of its chunk's row, and the operands from there on, in WGSL. */
import type { ElementwiseKernel, ReduceKernel } from '@transfusion/tensor';
import { expressionWgsl } from '../kernels/expression.js';
import type { BindingSet, StorageArray } from '../lowering.js';
import type { MemoryPlan } from '../runtime/memory-plan.js';
import { type Chunks, windowsOfOperands } from './chunks.js';
import type { Member } from './member.js';
import type { Batch } from './plan-batches.js';

/** Operands by name. */
export type OperandArrays = Record<string, Pick<StorageArray, 'at' | 'set'>>;

/** WGSL of the chunk's row: `count`, and `start_parameter` and so on of each operand. */
export function startsWgsl({ members }: Batch, { rowLength }: Chunks, table: StorageArray): string {
  const names = ['count', ...members[0].operands.map(({ name }) => `start_${name}`)];
  return names.map((name, i) => `let ${name} = ${table.at(`chunk * ${rowLength}u + ${i}u`)};`).join('\n  ');
}

/** The operands by name, as arrays that begin where the chunk does. */
export function operandArrays({ members, windows }: Batch, plan: MemoryPlan, bindings: BindingSet): OperandArrays {
  const { operands, width } = members[0];
  const own = windowsOfOperands(operands, windows, plan);
  const entries = operands.map(({ name, each }, i) => {
    const array = bindings.window(own[i], `block${own[i].block}`, width === 4 ? 'vec4f' : 'f32');
    const place = (index: string) => `start_${name} + ${index}`;
    // What is the same for all elements is read number by number.
    const ofVector = (index: string) => `${array.at(`(${place(index)}) / 4u`)}[(${place(index)}) % 4u]`;
    const at = (index: string) => (each || width === 1 ? array.at(place(index)) : ofVector(index));
    return [name, { at, set: (index: string, value: string) => array.set(place(index), value) }];
  });
  return Object.fromEntries(entries);
}

/** The expression of an elementwise kernel or a reduction at `index`: its functions, its statements, and its result. */
export function expressionAtIndex(
  { expression, inputs }: ElementwiseKernel | ReduceKernel,
  { operands }: Member,
  arrays: OperandArrays,
) {
  const read = inputs.map((_, i) => {
    return { code: arrays[operands[i].name].at(operands[i].each ? 'index' : '0'), type: 'f32' as const };
  });
  return expressionWgsl(expression, read, 'f32');
}
