/**
 * @file Sums or maxima of whole tensors: a workgroup folds a piece of one tensor, then the pieces of each tensor are folded.
 * No invocation adds more than some dozens of numbers in sequence.
 */
import type { ReduceKernel } from '@transfusion/tensor';
import { numericsWgsl, type WgslFunctionName } from '../kernels/numerics.js';
import { foldWgsl } from '../kernels/reduce.js';
import {
  BindingSet,
  type Dispatch,
  type LoweringContext,
  linearWorkgroup,
  mainHeader,
  splitGrid,
  workgroupReduce,
} from '../lowering.js';
import type { MemoryPlan } from '../runtime/memory-plan.js';
import { expressionAtIndex, operandArrays, startsWgsl } from './chunk-wgsl.js';
import { type Chunks, chunksOf, elementsBefore, windowOf } from './chunks.js';
import type { Batch } from './plan-batches.js';

/** Numbers that an invocation folds of a chunk. */
const RUN = 32;

export function lowerReduceBatch(batch: Batch, plan: MemoryPlan, context: LoweringContext): Dispatch[] {
  const { device } = context;
  // The barriers of a tree cost a software adapter more than anything: there each lane's result is a piece.
  const lanes = device.software ? 64 : Math.min(128, device.maxInvocationsPerWorkgroup);
  const chunks = chunksOf(batch, plan, lanes * RUN);
  const pieces = device.software ? lanes : 1;
  const scratch = context.scratch(chunks.count * pieces * 4);
  const options = { batch, plan, context, chunks, lanes, pieces, scratch };
  return [foldChunks(options), foldPieces(options)];
}

interface Options {
  batch: Batch;
  plan: MemoryPlan;
  context: LoweringContext;
  chunks: Chunks;
  lanes: number;
  /** Partial results of a chunk. */
  pieces: number;
  scratch: number;
}

function foldChunks({ batch, plan, context, chunks, lanes, pieces, scratch }: Options): Dispatch {
  const [member] = batch.members;
  const kernel = member.kernel as ReduceKernel;
  const bindings = new BindingSet(context);
  const table = bindings.table(chunks.table, 'places');
  const { functions, statements, result } = expressionAtIndex(kernel, member, operandArrays(batch, plan, bindings));
  const partial = bindings.scratch(scratch, 'partial');
  const fold = foldWgsl(kernel.op, functions);
  const grid = splitGrid(chunks.count, context.device);
  const isTree = pieces === 1;
  const code = `${bindings.declarations()}
${numericsWgsl(functions)}
${fold.combine}
${isTree ? workgroupReduce({ name: 'fold_workgroup', size: lanes, combine: fold.expression }) : ''}
${mainHeader(lanes)} {
  let chunk = ${linearWorkgroup(grid)};
  if (chunk >= ${chunks.count}u) { return; }
  ${startsWgsl(batch, chunks, table)}
  var total = ${fold.identity};
  for (var index = lane; index < count; index += ${lanes}u) {
${statements}
    total = combine(total, ${result});
  }
  ${
    isTree
      ? `let folded = fold_workgroup(lane, total);
  if (lane == 0u) { ${partial.set('chunk', 'folded')} }`
      : partial.set(`chunk * ${pieces}u + lane`, 'total')
  }
}`;
  const label = `reduce ${kernel.op} of ${batch.members.length} tensors`;
  return { label, code, bindings: bindings.bindings, workgroups: grid };
}

/** A tensor's pieces: by a workgroup, or by an invocation where barriers are costly. */
function foldPieces({ batch, plan, context, chunks, lanes, pieces, scratch }: Options): Dispatch {
  const { members } = batch;
  const kernel = members[0].kernel as ReduceKernel;
  const outputs = members.map((member) => plan.places[(member.kernel as ReduceKernel).output]);
  const window = windowOf(outputs[0].block, batch.windows);
  const rows = members.flatMap((_, i) => {
    const { first, count } = chunks.members[i];
    return [first * pieces, count * pieces, elementsBefore(outputs[i], batch.windows)];
  });
  const bindings = new BindingSet(context);
  const table = bindings.table(Uint32Array.from(rows), 'rows');
  const partial = bindings.scratch(scratch, 'partial');
  const output = bindings.window(window, 'output');
  const functions = new Set<WgslFunctionName>();
  const fold = foldWgsl(kernel.op, functions);
  const isTree = pieces === 1;
  const groups = isTree ? members.length : Math.ceil(members.length / lanes);
  const grid = splitGrid(groups, context.device);
  // Blocks of 16 first, so that rounding errors grow slowly.
  const code = `${bindings.declarations()}
${numericsWgsl(functions)}
${fold.combine}
${isTree ? workgroupReduce({ name: 'fold_workgroup', size: lanes, combine: fold.expression }) : ''}
fn fold_run(begin: u32, step: u32, end: u32) -> f32 {
  var total = ${fold.identity};
  var position = begin;
  while (position < end) {
    var block = ${fold.identity};
    let stop = min(position + 16u * step, end);
    for (; position < stop; position += step) { block = combine(block, ${partial.at('position')}); }
    total = combine(total, block);
  }
  return total;
}
${mainHeader(lanes)} {
  let member = ${isTree ? linearWorkgroup(grid) : `${linearWorkgroup(grid)} * ${lanes}u + lane`};
  if (member >= ${members.length}u) { return; }
  let first = ${table.at('member * 3u')};
  let end = first + ${table.at('member * 3u + 1u')};
  let place = ${table.at('member * 3u + 2u')};
  ${
    isTree
      ? `let folded = fold_workgroup(lane, fold_run(first + lane, ${lanes}u, end));
  if (lane == 0u) { ${output.set('place', 'folded')} }`
      : output.set('place', 'fold_run(first, 1u, end)')
  }
}`;
  const label = `reduce ${kernel.op} pieces of ${members.length} tensors`;
  return { label, code, bindings: bindings.bindings, workgroups: grid };
}
