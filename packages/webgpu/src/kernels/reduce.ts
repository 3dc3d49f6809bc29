/**
 * @file output[kept] = sum or max over the reduced axes of expression(inputs).
 *
 * A reduction is cut into `segments` pieces of its reduced range. Each piece is folded either by a workgroup (`row`:
 * lanes side by side along the reduced axes, then a tree) or by one invocation (`column`: lanes side by side along the
 * kept axes). With more than one piece, the pieces go to scratch memory and a second dispatch folds those.
 *
 * No invocation adds more than `RUN` numbers in sequence, so sums of millions of elements keep f32's digits. The order
 * of additions depends on shapes and strides only.
 */
import type { Expression, ReduceKernel, View } from '@transfusion/tensor';
import {
  BindingSet,
  type Dispatch,
  type LoweringContext,
  type LoweringDevice,
  linearWorkgroup,
  mainHeader,
  type StorageArray,
  splitGrid,
  workgroupReduce,
} from '../lowering.js';
import { type ExpressionInput, expressionWgsl } from './expression.js';
import { numericsWgsl, type WgslFunctionName } from './numerics.js';
import { product, splitIndex, viewIndex } from './views.js';

/** The most numbers one invocation folds in sequence. */
const RUN = 128;
/** Workgroups that keep a GPU busy; fewer outputs than this and long reductions are cut into more pieces. */
const BUSY_WORKGROUPS = 256;
/** A piece shorter than this is not worth a workgroup's tree. */
const SHORT = 32;

/** One dispatch's worth of a reduction: folds [kept, reduced] to [kept, segments]. */
interface Fold {
  op: ReduceKernel['op'];
  kept: number;
  reduced: number;
  segments: number;
  strategy: 'row' | 'column';
}

export function lowerReduce(kernel: ReduceKernel, context: LoweringContext): Dispatch[] {
  const keptShape = kernel.shape.slice(0, kernel.keptRank);
  const reducedShape = kernel.shape.slice(kernel.keptRank);
  const kept = product(keptShape);
  const reduced = product(reducedShape);
  const fold = planFold(kernel, kept, reduced, context.device);
  const label = `reduce ${kernel.op} [${keptShape}]x[${reducedShape}] ${fold.strategy}`;

  const bindings = new BindingSet(context);
  const keptIndex = splitIndex('kept', keptShape, 'a');
  const reducedIndex = splitIndex('position', reducedShape, 'b');
  const coordinates = [...keptIndex.coordinates, ...reducedIndex.coordinates];
  const inputs = kernel.inputs.map((view, position): ExpressionInput => {
    const type = context.dtype(view.buffer);
    const array = bindings.buffer(view.buffer, `input${position}`, type);
    return { code: array.at(viewIndex(view, kernel.shape, coordinates)), type };
  });
  const value = {
    bindings,
    expression: kernel.expression,
    inputs,
    statements: `${keptIndex.statements}\n${reducedIndex.statements}`,
  };
  if (fold.segments === 1) {
    const output = bindings.buffer(kernel.output, 'output');
    return [foldDispatch({ label, fold, value, output, context })];
  }
  const scratch = context.scratch(kept * fold.segments * 4);
  const partial = bindings.scratch(scratch, 'partial');
  return [
    foldDispatch({ label, fold, value, output: partial, context }),
    ...foldScratch({ op: kernel.op, kept, reduced: fold.segments, scratch, output: kernel.output, context }),
  ];
}

/** Folds partial results [kept, reduced] in scratch memory to output [kept]; repeatedly, if they are many. */
function foldScratch(options: {
  op: ReduceKernel['op'];
  kept: number;
  reduced: number;
  scratch: number;
  output: number;
  context: LoweringContext;
}): Dispatch[] {
  const { op, kept, reduced, context } = options;
  const byRows = reduced > SHORT && !context.device.software;
  const lanes = byRows ? workgroupLanes(reduced, context) : 1;
  const segments = Math.ceil(reduced / (lanes * RUN));
  const bindings = new BindingSet(context);
  const partial = bindings.scratch(options.scratch, 'partial');
  const value = {
    bindings,
    expression: [{ op: 'load', input: 0 }] satisfies Expression,
    inputs: [{ code: partial.at(`kept * ${reduced}u + position`), type: 'f32' }] satisfies ExpressionInput[],
    statements: '',
  };
  const fold: Fold = { op, kept, reduced, segments, strategy: byRows ? 'row' : 'column' };
  const label = `reduce ${op} pieces ${kept}x${reduced}`;
  if (segments === 1) {
    const output = bindings.buffer(options.output, 'output');
    return [foldDispatch({ label, fold, value, output, context })];
  }
  const scratch = context.scratch(kept * segments * 4);
  const output = bindings.scratch(scratch, 'output');
  return [
    foldDispatch({ label, fold, value, output, context }),
    ...foldScratch({ ...options, reduced: segments, scratch }),
  ];
}

/**
 * Which lanes read neighbouring memory, and how many pieces keep runs short and the device busy. The barriers of a tree
 * cost a software adapter more than anything: 1.2 s of a training step, 0.1 s without.
 */
function planFold(kernel: ReduceKernel, kept: number, reduced: number, device: LoweringDevice): Fold {
  const innermost = (from: number, to: number) => {
    for (let axis = to - 1; axis >= from; axis--) if (kernel.shape[axis] > 1) return axis;
    return -1;
  };
  const keptAxis = innermost(0, kernel.keptRank);
  const reducedAxis = innermost(kernel.keptRank, kernel.shape.length);
  const scattered = (axis: number) => (view: View) => axis < 0 || view.strides[axis] > 1;
  const rowMisses = kernel.inputs.filter(scattered(reducedAxis)).length;
  const columnMisses = kernel.inputs.filter(scattered(keptAxis)).length;
  const few = kept < SHORT && reduced > SHORT;
  const strategy = !device.software && reduced > SHORT && (rowMisses < columnMisses || few) ? 'row' : 'column';

  const perWorkgroup = strategy === 'row' ? 256 * RUN : RUN;
  const workgroups = strategy === 'row' ? kept : Math.ceil(kept / 64);
  const shortest = strategy === 'row' ? 1024 : SHORT;
  const forParallelism = Math.min(Math.ceil(BUSY_WORKGROUPS / workgroups), Math.floor(reduced / shortest));
  const segments = Math.max(1, Math.ceil(reduced / perWorkgroup), forParallelism);
  return { op: kernel.op, kept, reduced, segments, strategy };
}

function workgroupLanes(length: number, context: LoweringContext): number {
  const limit = Math.min(256, context.device.maxInvocationsPerWorkgroup);
  let lanes = 32;
  while (lanes < limit && lanes * 4 < length) lanes *= 2;
  return lanes;
}

/**
 * WGSL of what a reduction starts from, the expression of `a` and `b` that goes on, and a function of that, `combine`.
 * @param functions those that it calls are added
 */
export function foldWgsl(op: ReduceKernel['op'], functions: Set<WgslFunctionName>) {
  const expression = op === 'sum' ? 'a + b' : 'max_or_nan(a, b)';
  if (op === 'max') functions.add('max_or_nan');
  const identity = op === 'sum' ? '0.0f' : '-infinity()';
  return { identity, expression, combine: `fn combine(a: f32, b: f32) -> f32 { return ${expression}; }` };
}

/** The dispatch of one `Fold`; `output` [kept, segments] is among the bindings. */
function foldDispatch(options: {
  label: string;
  fold: Fold;
  value: { bindings: BindingSet; expression: Expression; inputs: ExpressionInput[]; statements: string };
  output: StorageArray;
  context: LoweringContext;
}): Dispatch {
  const { fold, value, output, context } = options;
  const { op, kept, reduced, segments, strategy } = fold;
  const segmentLength = Math.ceil(reduced / segments);
  const body = expressionWgsl(value.expression, value.inputs, 'f32');
  const { identity, expression, combine } = foldWgsl(op, body.functions);

  const row = strategy === 'row';
  const lanes = row ? workgroupLanes(segmentLength, context) : 64;
  const workgroups = row ? kept * segments : Math.ceil((kept * segments) / lanes);
  const grid = splitGrid(workgroups, context.device);
  // In a column fold, neighbouring invocations have neighbouring outputs of one segment.
  const [keptCode, segmentCode] = row
    ? [`item / ${segments}u`, `item % ${segments}u`]
    : [`item % ${kept}u`, `item / ${kept}u`];
  const code = `${value.bindings.declarations()}
${numericsWgsl(body.functions)}
${combine}
${row ? workgroupReduce({ name: 'fold_workgroup', size: lanes, combine: expression }) : ''}
fn element(kept: u32, position: u32) -> f32 {
${value.statements}
${body.statements}
  return ${body.result};
}
// Folds positions begin, begin + step, ... below end: blocks of 16 first, so that rounding errors grow slowly.
fn fold_run(kept: u32, begin: u32, step: u32, end: u32) -> f32 {
  var total = ${identity};
  var position = begin;
  while (position < end) {
    var block = ${identity};
    let stop = min(position + 16u * step, end);
    for (; position < stop; position += step) { block = combine(block, element(kept, position)); }
    total = combine(total, block);
  }
  return total;
}
${mainHeader(lanes)} {
  let item = ${row ? linearWorkgroup(grid) : `${linearWorkgroup(grid)} * ${lanes}u + lane`};
  if (item >= ${kept * segments}u) { return; }
  let kept = ${keptCode};
  let segment = ${segmentCode};
  let begin = segment * ${segmentLength}u;
  let end = min(begin + ${segmentLength}u, ${reduced}u);
${
  row
    ? `  let folded = fold_workgroup(lane, fold_run(kept, begin + lane, ${lanes}u, end));
  if (lane == 0u) { ${output.set(`kept * ${segments}u + segment`, 'folded')} }`
    : `  ${output.set(`kept * ${segments}u + segment`, 'fold_run(kept, begin, 1u, end)')}`
}
}`;
  return { label: options.label, code, bindings: value.bindings.bindings, workgroups: grid };
}
