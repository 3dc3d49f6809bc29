/**
 * @file output[r] = sum of updates[i] over all i with indices[i] == r, in increasing i: updates [rows, width],
 * indices i32 [rows], output [tableRows, width]. Rows nobody names are zero; indices out of range match no row.
 */
import type { ScatterAddKernel } from '@transfusion/tensor';
import {
  BindingSet,
  type Dispatch,
  type LoweringContext,
  linearWorkgroup,
  mainHeader,
  splitGrid,
} from '../lowering.js';
import { vectorWidth } from './thread-dispatch.js';

/** Indices a lane tests between two barriers: enough to make barriers rare, few enough that 256 lanes' bits take 1 KiB. */
const TESTS_PER_LANE = 32;

/**
 * One workgroup for each output row and slice of columns. All lanes look for the row in a chunk of indices and mark what
 * they find in a bit set; then each lane adds the marked updates of its own column in order. Float atomics would add in
 * another order every time.
 */
export function lowerScatterAdd(kernel: ScatterAddKernel, context: LoweringContext): Dispatch[] {
  const { rows, tableRows, width } = kernel;
  const vector = vectorWidth(width);
  const type = vector === 4 ? 'vec4f' : 'f32';
  const rowLength = width / vector;
  const size = rowLength <= 64 ? 64 : Math.min(256, context.device.maxInvocationsPerWorkgroup);
  const slices = Math.ceil(rowLength / size);
  const tests = Math.min(TESTS_PER_LANE, Math.ceil(rows / size));
  const chunk = tests * size;
  const words = chunk / 32;

  const bindings = new BindingSet(context);
  const updates = bindings.buffer(kernel.updates, 'updates', type);
  const indices = bindings.buffer(kernel.indices, 'indices', 'i32');
  const output = bindings.buffer(kernel.output, 'output', type);
  const workgroups = splitGrid(tableRows * slices, context.device);
  const code = `${bindings.declarations()}
var<workgroup> found: array<atomic<u32>, ${words}>;

${mainHeader(size)} {
  let position = ${linearWorkgroup(workgroups)};
  if (position >= ${tableRows * slices}u) { return; }
  let row = position / ${slices}u;
  let column = position % ${slices}u * ${size}u + lane;
  var sum = ${type}();
  for (var start = 0u; start < ${rows}u; start += ${chunk}u) {
    for (var word = lane; word < ${words}u; word += ${size}u) { atomicStore(&found[word], 0u); }
    workgroupBarrier();
    for (var test = lane; test < ${chunk}u; test += ${size}u) {
      if (start + test < ${rows}u && u32(${indices.at('start + test')}) == row) {
        atomicOr(&found[test / 32u], 1u << (test % 32u));
      }
    }
    workgroupBarrier();
    if (column < ${rowLength}u) {
      for (var word = 0u; word < ${words}u; word++) {
        var bits = atomicLoad(&found[word]);
        while (bits != 0u) {
          sum += ${updates.at(`(start + word * 32u + countTrailingZeros(bits)) * ${rowLength}u + column`)};
          bits &= bits - 1u;
        }
      }
    }
    workgroupBarrier();
  }
  if (column < ${rowLength}u) { ${output.set(`row * ${rowLength}u + column`, 'sum')} }
}
`;
  return [{ label: 'scatterAdd', code, bindings: bindings.bindings, workgroups }];
}
