/**
 * @file In place: target[indices[i]] = values[i]: target [tableRows, width], indices i32 [rows], values [rows, width].
 * Indices outside [0, tableRows) are skipped.
 */
import type { WriteRowsKernel } from '@transfusion/tensor';
import { BindingSet, type Dispatch, type LoweringContext, type StorageType } from '../lowering.js';
import { threadDispatch, vectorWidth } from './thread-dispatch.js';

/** One thread writes one element, or four where the width allows. */
export function lowerWriteRows(kernel: WriteRowsKernel, context: LoweringContext): Dispatch[] {
  const { rows, tableRows, width } = kernel;
  const scalar = context.dtype(kernel.target);
  const vector = scalar === 'f32' ? vectorWidth(width) : 1;
  const type: StorageType = vector === 4 ? 'vec4f' : scalar;
  const rowLength = width / vector;

  const bindings = new BindingSet(context);
  const target = bindings.buffer(kernel.target, 'destination', type);
  const indices = bindings.buffer(kernel.indices, 'indices', 'i32');
  const values = bindings.buffer(kernel.values, 'values', type);
  // A negative index becomes a u32 above 2^31, so one comparison covers both ends.
  const body = `
  let row = u32(${indices.at(`index / ${rowLength}u`)});
  if (row < ${tableRows}u) { ${target.set(`row * ${rowLength}u + index % ${rowLength}u`, values.at('index'))} }`;
  return [threadDispatch({ label: 'writeRows', count: rows * rowLength, bindings, body, device: context.device })];
}
