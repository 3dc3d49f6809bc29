/** @file The dispatches of a batch: each workgroup does a piece of one member, and finds it in a table. */
import { type AdamWArrays, adamwBody } from '../kernels/adamw.js';
import { numericsWgsl } from '../kernels/numerics.js';
import {
  BindingSet,
  type Dispatch,
  type LoweringContext,
  linearWorkgroup,
  mainHeader,
  splitGrid,
} from '../lowering.js';
import type { MemoryPlan } from '../runtime/memory-plan.js';
import { expressionAtIndex, type OperandArrays, operandArrays, startsWgsl } from './chunk-wgsl.js';
import { chunksOf } from './chunks.js';
import { lowerReduceBatch } from './lower-reduce-batch.js';
import type { Member } from './member.js';
import type { Batch } from './plan-batches.js';

/** Elements of a workgroup: enough that its row of the table does not matter. */
const CHUNK = 4096;

export function lowerBatch(batch: Batch, plan: MemoryPlan, context: LoweringContext): Dispatch[] {
  const [{ kernel }] = batch.members;
  if (kernel.kind === 'reduce') return lowerReduceBatch(batch, plan, context);
  const chunks = chunksOf(batch, plan, CHUNK);
  const bindings = new BindingSet(context);
  const table = bindings.table(chunks.table, 'places');
  const arrays = operandArrays(batch, plan, bindings);
  const body = bodyOf(batch.members[0], arrays);
  const lanes = Math.min(256, context.device.maxInvocationsPerWorkgroup);
  const grid = splitGrid(chunks.count, context.device);
  const code = `${bindings.declarations()}
${body.functions}
${mainHeader(lanes)} {
  let chunk = ${linearWorkgroup(grid)};
  if (chunk >= ${chunks.count}u) { return; }
  ${startsWgsl(batch, chunks, table)}
  for (var index = lane; index < count; index += ${lanes}u) {
${body.statements}
  }
}`;
  const label = `${kernel.kind} of ${batch.members.length} tensors`;
  return [{ label, code, bindings: bindings.bindings, workgroups: grid }];
}

function bodyOf(member: Member, arrays: OperandArrays): { functions: string; statements: string } {
  const { kernel } = member;
  if (kernel.kind === 'adamw') return { functions: '', statements: adamwBody(kernel, arrays as AdamWArrays) };
  const { functions, statements, result } = expressionAtIndex(kernel, member, arrays);
  return { functions: numericsWgsl(functions), statements: `${statements}\n  ${arrays.output.set('index', result)}` };
}
