/** @file Sum and max over any axes. The reduced axes disappear. */

import type { OpDefinition } from '../graph/node.js';
import { sizeOf, stridesOf } from '../graph/shape.js';
import { forEachIndex } from '../reference/indexing.js';
import { requireDType } from './elementwise.js';

export const reduceOp: OpDefinition<{ fn: 'sum' | 'max'; axes: readonly number[] }> = {
  name: 'reduce',
  infer([x], { fn, axes }) {
    requireDType(fn, x, 'f32');
    return [{ shape: x.shape.filter((_, axis) => !axes.includes(axis)), dtype: 'f32' }];
  },
  reference({ inputs: [x], inputTypes: [type], outputTypes: [output], attributes: { fn, axes } }) {
    const result = new Float64Array(sizeOf(output.shape)).fill(fn === 'sum' ? 0 : Number.NEGATIVE_INFINITY);
    const kept = type.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
    const strides = stridesOf(output.shape);
    let position = 0;
    forEachIndex(type.shape, (index) => {
      let address = 0;
      kept.forEach((axis, i) => (address += index[axis] * strides[i]));
      const value = x[position++];
      result[address] = fn === 'sum' ? result[address] + value : Math.max(result[address], value);
    });
    return [result];
  },
  gradient({ inputs: [x], outputs: [y], gradients: [g], attributes: { fn, axes } }) {
    if (!g) return [undefined];
    const keep = x.shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
    const spread = g.reshape(keep).broadcastTo(x.shape);
    if (fn === 'sum') return [spread];
    // Every element that equals the maximum receives an equal share.
    const isMax = x.equal(y.reshape(keep).broadcastTo(x.shape));
    const share = g.div(isMax.sum(axes)).reshape(keep).broadcastTo(x.shape);
    return [isMax.mul(share)];
  },
};
