/** @file Random numbers by Philox 4x32-10: a pure function of seed, stream and element. */

import { apply, type OpDefinition, type Tensor } from '../graph/node.js';
import { checkShape, type Shape, sameShape, shapeError, showShape, sizeOf } from '../graph/shape.js';
import { normals, uniforms } from '../philox.js';
import { requireDType } from './elementwise.js';

interface RandomAttributes {
  distribution: 'uniform' | 'normal';
  shape: Shape;
  /** Different streams are independent under one seed. */
  stream: number;
}

/** Input: seed i32 [4]. */
const randomOp: OpDefinition<RandomAttributes> = {
  name: 'random',
  infer([seed], { shape }) {
    requireDType('random(seed)', seed, 'i32');
    checkShape('random', shape);
    if (!sameShape(seed.shape, [4])) throw shapeError(`random: seed must be i32 [4], got ${showShape(seed.shape)}`);
    return [{ shape, dtype: 'f32' }];
  },
  reference({ inputs: [seed], attributes: { distribution, shape, stream } }) {
    const options = { seed: Int32Array.from(seed), stream, elements: sizeOf(shape) };
    return [Float64Array.from(distribution === 'normal' ? normals(options) : uniforms(options))];
  },
  gradient: () => [undefined],
  kernel({ attributes: { distribution, shape, stream }, reads: [seed], writes: [output] }) {
    return { kind: 'random', distribution, elements: sizeOf(shape), stream, seed, output };
  },
};

export interface RandomOptions {
  /** i32 [4]: two key words, two counter words (say: the run's seed, and the step). */
  seed: Tensor;
  shape: Shape;
  /** Which of the independent sequences under the seed. */
  stream: number;
}

/** Uniform in [0, 1). */
export function randomUniform({ seed, shape, stream }: RandomOptions): Tensor {
  return apply(randomOp, [seed], { distribution: 'uniform', shape: [...shape], stream });
}

/** Standard normal. */
export function randomNormal({ seed, shape, stream }: RandomOptions): Tensor {
  return apply(randomOp, [seed], { distribution: 'normal', shape: [...shape], stream });
}
