/** @file Rows by index: gather, scatter-add, and writing rows in place. Indices out of range are skipped, or give zeros. */

import { apply, type OpDefinition, type Tensor, type TensorType } from '../graph/node.js';
import { sameShape, shapeError, showShape, sizeOf } from '../graph/shape.js';
import { requireDType } from './elementwise.js';

/** Elements of a row: everything but the first axis. */
function rowWidth(table: TensorType): number {
  return sizeOf(table.shape.slice(1));
}

function checkValues(what: string, table: Shape1, indices: TensorType, values: TensorType): void {
  requireDType(`${what}(indices)`, indices, 'i32');
  const expected = [...indices.shape, ...table.slice(1)];
  if (!sameShape(values.shape, expected)) {
    throw shapeError(
      `${what}: indices ${showShape(indices.shape)} into rows ${showShape(table.slice(1))} need values ${showShape(expected)}, got ${showShape(values.shape)}`,
    );
  }
}
type Shape1 = readonly number[];

const gatherOp: OpDefinition<null> = {
  name: 'gather',
  infer([table, indices]) {
    requireDType('gather(table)', table, 'f32');
    requireDType('gather(indices)', indices, 'i32');
    if (table.shape.length < 1) throw shapeError('gather: the table needs at least one axis');
    return [{ shape: [...indices.shape, ...table.shape.slice(1)], dtype: table.dtype }];
  },
  reference({ inputs: [table, indices], inputTypes: [type] }) {
    const width = rowWidth(type);
    const result = new Float64Array(indices.length * width);
    indices.forEach((row, i) => {
      if (row >= 0 && row < type.shape[0]) result.set(table.subarray(row * width, (row + 1) * width), i * width);
    });
    return [result];
  },
  gradient({ inputs: [table, indices], gradients: [g] }) {
    return [g && scatterAdd(g, indices, table.shape[0]), undefined];
  },
  kernel({ inputs, reads: [table, indices], writes: [output] }) {
    const [rows, tableRows, width] = [inputs[1].size, inputs[0].shape[0], rowWidth(inputs[0])];
    return { kind: 'gather', table, indices, output, rows, tableRows, width };
  },
};

const scatterAddOp: OpDefinition<{ rows: number }> = {
  name: 'scatterAdd',
  infer([updates, indices], { rows }) {
    const row = updates.shape.slice(indices.shape.length);
    checkValues('scatterAdd', [rows, ...row], indices, updates);
    return [{ shape: [rows, ...row], dtype: 'f32' }];
  },
  reference({ inputs: [updates, indices], outputTypes: [output], attributes: { rows } }) {
    const width = rowWidth(output);
    const result = new Float64Array(rows * width);
    indices.forEach((row, i) => {
      if (row < 0 || row >= rows) return;
      for (let j = 0; j < width; j++) result[row * width + j] += updates[i * width + j];
    });
    return [result];
  },
  gradient({ inputs: [, indices], gradients: [g] }) {
    return [g && gather(g, indices), undefined];
  },
  kernel({ inputs, outputs, attributes, reads: [updates, indices], writes: [output] }) {
    const [rows, tableRows, width] = [inputs[1].size, attributes.rows, rowWidth(outputs[0])];
    return { kind: 'scatterAdd', updates, indices, output, rows, tableRows, width };
  },
};

/** The target with some rows replaced. Writes in place when the target is state that this updates. */
const writeRowsOp: OpDefinition<null> = {
  name: 'writeRows',
  infer([target, indices, values]) {
    checkValues('writeRows', target.shape, indices, values);
    return [target];
  },
  reference({ inputs: [target, indices, values], inputTypes: [type] }) {
    const width = rowWidth(type);
    const result = target.slice();
    indices.forEach((row, i) => {
      if (row >= 0 && row < type.shape[0]) result.set(values.subarray(i * width, (i + 1) * width), row * width);
    });
    return [result];
  },
  gradient({ inputs: [target, indices, values], gradients: [g] }) {
    if (!g) return [undefined, undefined, undefined];
    const zeros = apply(gatherOp, [g, indices], null).mul(0);
    return [
      apply(writeRowsOp, [g, indices, zeros], null).reshape(target.shape),
      undefined,
      gather(g, indices).reshape(values.shape),
    ];
  },
  inPlace: [0],
  kernel({ inputs, reads: [target, indices, values] }) {
    const [rows, tableRows, width] = [inputs[1].size, inputs[0].shape[0], rowWidth(inputs[0])];
    return { kind: 'writeRows', target, indices, values, rows, tableRows, width };
  },
};

/** Rows of `table` [rows, ...] at i32 `indices` `[...]`: `[...indices, ...]`. An index outside [0, rows) gives zeros. */
export function gather(table: Tensor, indices: Tensor): Tensor {
  return apply(gatherOp, [table, indices], null);
}

/** [rows, ...] whose row r is the sum of the `updates` [...indices, ...] whose index is r. */
export function scatterAdd(updates: Tensor, indices: Tensor, rows: number): Tensor {
  return apply(scatterAddOp, [updates, indices], { rows });
}

/** `target` [rows, ...] with row indices[i] replaced by values[i]. Indices in range must not repeat. */
export function writeRows(target: Tensor, indices: Tensor, values: Tensor): Tensor {
  return apply(writeRowsOp, [target, indices, values], null);
}
