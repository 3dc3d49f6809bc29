/** @file AdamW with decoupled weight decay (Loshchilov and Hutter 2019), in place where the operands are state. */

import { applyAll, type OpDefinition, type Tensor } from '../graph/node.js';
import { sameShape, shapeError, showShape } from '../graph/shape.js';

export interface AdamWAttributes {
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
}

/** Inputs parameter, gradient, m, v (equal shapes), hyper [3], gradientScale (one element); outputs parameter, m, v. */
const adamwOp: OpDefinition<AdamWAttributes> = {
  name: 'adamw',
  infer([parameter, gradient, m, v, hyper, gradientScale]) {
    for (const other of [gradient, m, v]) {
      if (!sameShape(parameter.shape, other.shape)) {
        throw shapeError(
          `adamw: the parameter is ${showShape(parameter.shape)}, its gradient or a moment ${showShape(other.shape)}`,
        );
      }
    }
    if (!sameShape(hyper.shape, [3]) || gradientScale.shape.some((length) => length !== 1)) {
      throw shapeError(
        `adamw: hyper must be [3], gradientScale one element; got ${showShape(hyper.shape)} and ${showShape(gradientScale.shape)}`,
      );
    }
    return [parameter, m, v];
  },
  reference({ inputs: [parameter, gradient, m, v, hyper, gradientScale], attributes }) {
    const { beta1, beta2, epsilon, weightDecay } = attributes;
    const [learningRate, bias1, bias2] = hyper;
    const [newParameter, newM, newV] = [parameter.slice(), m.slice(), v.slice()];
    if (gradientScale[0] === 0) return [newParameter, newM, newV];
    for (let i = 0; i < parameter.length; i++) {
      const g = gradient[i] * gradientScale[0];
      newM[i] = beta1 * m[i] + (1 - beta1) * g;
      newV[i] = beta2 * v[i] + (1 - beta2) * g * g;
      const update = newM[i] / bias1 / (Math.sqrt(newV[i] / bias2) + epsilon);
      newParameter[i] = parameter[i] - learningRate * (weightDecay * parameter[i] + update);
    }
    return [newParameter, newM, newV];
  },
  inPlace: [0, 2, 3],
  kernel({ inputs, attributes, reads: [parameter, gradient, m, v, hyper, gradientScale] }) {
    return { kind: 'adamw', elements: inputs[0].size, parameter, gradient, m, v, hyper, gradientScale, ...attributes };
  },
};

export interface AdamWStep {
  parameter: Tensor;
  gradient: Tensor;
  m: Tensor;
  v: Tensor;
  /** `[3]`: learning rate, 1 - beta1^step, 1 - beta2^step. Data, since they change every step. */
  hyper: Tensor;
  /** One element that multiplies the gradient: clipping, unscaling. 0 skips the update, whatever the gradient holds. */
  gradientScale: Tensor;
}

/** One AdamW update of one tensor. */
export function adamw(step: AdamWStep, attributes: AdamWAttributes): { parameter: Tensor; m: Tensor; v: Tensor } {
  const inputs = [step.parameter, step.gradient, step.m, step.v, step.hyper, step.gradientScale];
  const [parameter, m, v] = applyAll(adamwOp, inputs, attributes);
  return { parameter, m, v };
}
