/**
 * @file output[i] = table[indices[i]]: table [tableRows, width], indices i32 [rows], output [rows, width].
 * Rows whose index is outside [0, tableRows) are zero.
 */
import type { GatherKernel } from '@transfusion/tensor';
import { BindingSet, type Dispatch, type LoweringContext, type StorageType } from '../lowering.js';
import { threadDispatch, vectorWidth } from './thread-dispatch.js';

/** One thread copies one element, or four where the width allows. */
export function lowerGather(kernel: GatherKernel, context: LoweringContext): Dispatch[] {
  const { rows, tableRows, width } = kernel;
  const scalar = context.dtype(kernel.table);
  const vector = scalar === 'f32' ? vectorWidth(width) : 1;
  const type: StorageType = vector === 4 ? 'vec4f' : scalar;
  const rowLength = width / vector;

  const bindings = new BindingSet(context);
  const table = bindings.buffer(kernel.table, 'table', type);
  const indices = bindings.buffer(kernel.indices, 'indices', 'i32');
  const output = bindings.buffer(kernel.output, 'output', type);
  // A negative index becomes a u32 above 2^31, so one comparison covers both ends.
  const body = `
  let source = u32(${indices.at(`index / ${rowLength}u`)});
  var value = ${type}();
  if (source < ${tableRows}u) { value = ${table.at(`source * ${rowLength}u + index % ${rowLength}u`)}; }
  ${output.set('index', 'value')}`;
  return [threadDispatch({ label: 'gather', count: rows * rowLength, bindings, body, device: context.device })];
}
