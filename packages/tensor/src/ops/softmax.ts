/** @file Softmax and its logarithm over the last axis. */
import { apply, type OpDefinition } from '../graph/node.js';
import { matrixOf } from '../graph/shape.js';
import { requireDType } from './elementwise.js';

interface SoftmaxAttributes {
  log: boolean;
}

export const softmaxOp: OpDefinition<SoftmaxAttributes> = {
  name: 'softmax',
  infer([x]) {
    requireDType('softmax', x, 'f32');
    return [x];
  },
  reference({ inputs: [x], inputTypes: [type], attributes: { log } }) {
    const columns = type.shape.at(-1) ?? 1;
    const result = new Float64Array(x.length);
    for (let start = 0; start < x.length; start += columns) {
      const row = x.subarray(start, start + columns);
      const lse = logSumExp(row);
      for (let i = 0; i < columns; i++) result[start + i] = log ? row[i] - lse : Math.exp(row[i] - lse);
    }
    return [result];
  },
  gradient({ outputs: [y], gradients: [g], attributes }) {
    return [g && apply(softmaxGradOp, [y, g], attributes)];
  },
  kernel({ inputs: [x], attributes: { log }, reads: [input], writes: [output] }) {
    return { kind: 'softmax', log, ...matrixOf(x.shape), input, output };
  },
};

/** From the output y and its gradient: softmax dy -> y (dy - sum(dy y)); log-softmax dy -> dy - exp(y) sum(dy). */
const softmaxGradOp: OpDefinition<SoftmaxAttributes> = {
  name: 'softmaxGrad',
  infer: ([y]) => [y],
  reference({ inputs: [y, dy], inputTypes: [type], attributes: { log } }) {
    const columns = type.shape.at(-1) ?? 1;
    const result = new Float64Array(y.length);
    for (let start = 0; start < y.length; start += columns) {
      let sum = 0;
      for (let i = start; i < start + columns; i++) sum += log ? dy[i] : dy[i] * y[i];
      for (let i = start; i < start + columns; i++)
        result[i] = log ? dy[i] - Math.exp(y[i]) * sum : y[i] * (dy[i] - sum);
    }
    return [result];
  },
  kernel({ inputs, attributes: { log }, reads: [y, dy], writes: [dx] }) {
    return { kind: 'softmaxGrad', log, ...matrixOf(inputs[0].shape), y, dy, dx };
  },
};

/** log(sum(exp(row))), without overflow; -Infinity for an empty row. */
export function logSumExp(row: Float64Array): number {
  let max = Number.NEGATIVE_INFINITY;
  for (const value of row) max = Math.max(max, value);
  if (!Number.isFinite(max)) return max;
  let sum = 0;
  for (const value of row) sum += Math.exp(value - max);
  return max + Math.log(sum);
}
