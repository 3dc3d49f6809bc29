/** @file RMSNorm over the last axis (Zhang and Sennrich 2019): y = x / sqrt(mean(x^2) + epsilon) * weight. */

import { apply, applyAll, type OpDefinition, type Tensor } from '../graph/node.js';
import { matrixOf, sameShape, shapeError, showShape } from '../graph/shape.js';
import { requireDType } from './elementwise.js';

interface RmsNormAttributes {
  epsilon: number;
}

/** Outputs: y like x, and rstd = 1 / sqrt(mean(x^2) + epsilon) without the last axis. */
export const rmsNormOp: OpDefinition<RmsNormAttributes> = {
  name: 'rmsNorm',
  infer([x, weight]) {
    requireDType('rmsNorm', x, 'f32');
    if (x.shape.length < 1 || !sameShape(weight.shape, x.shape.slice(-1))) {
      throw shapeError(
        `rmsNorm(x, weight): x is ${showShape(x.shape)}, so weight must be its last axis, got ${showShape(weight.shape)}`,
      );
    }
    return [x, { shape: x.shape.slice(0, -1), dtype: 'f32' }];
  },
  reference({ inputs: [x, weight], attributes: { epsilon } }) {
    const columns = weight.length;
    const y = new Float64Array(x.length);
    const rstd = new Float64Array(x.length / columns);
    for (let row = 0; row < rstd.length; row++) {
      let sum = 0;
      for (let i = 0; i < columns; i++) sum += x[row * columns + i] ** 2;
      rstd[row] = 1 / Math.sqrt(sum / columns + epsilon);
      for (let i = 0; i < columns; i++) y[row * columns + i] = x[row * columns + i] * rstd[row] * weight[i];
    }
    return [y, rstd];
  },
  gradient({ inputs: [x, weight], outputs: [, rstd], gradients: [g] }) {
    if (!g) return [undefined, undefined];
    const leading = x.shape.slice(0, -1).map((_, axis) => axis);
    const scaled = g.mul(x).mul(rstd.reshape([...rstd.shape, 1]));
    return [apply(rmsNormGradOp, [x, weight, rstd, g], null), scaled.sum(leading).reshape(weight.shape)];
  },
  kernel({ inputs, attributes: { epsilon }, reads: [x, weight], writes: [output, rstd] }) {
    return { kind: 'rmsNorm', ...matrixOf(inputs[0].shape), epsilon, x, weight, output, rstd };
  },
};

/** dx = rstd (dy w - x rstd^2 mean(dy w x)) */
const rmsNormGradOp: OpDefinition<null> = {
  name: 'rmsNormGrad',
  infer: ([x]) => [x],
  reference({ inputs: [x, weight, rstd, dy] }) {
    const columns = weight.length;
    const dx = new Float64Array(x.length);
    for (let row = 0; row < rstd.length; row++) {
      const at = row * columns;
      let dot = 0;
      for (let i = 0; i < columns; i++) dot += dy[at + i] * weight[i] * x[at + i];
      const shift = (dot / columns) * rstd[row] ** 2;
      for (let i = 0; i < columns; i++) dx[at + i] = rstd[row] * (dy[at + i] * weight[i] - x[at + i] * shift);
    }
    return [dx];
  },
  kernel({ inputs, reads: [x, weight, rstd, dy], writes: [dx] }) {
    return { kind: 'rmsNormGrad', ...matrixOf(inputs[0].shape), x, weight, rstd, dy, dx };
  },
};

/** RMSNorm of x [..., channels] with weight [channels]. */
export function rmsNorm(x: Tensor, weight: Tensor, epsilon = 1e-5): Tensor {
  return applyAll(rmsNormOp, [x, weight], { epsilon })[0];
}
