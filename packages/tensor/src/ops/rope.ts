/** @file Rotary position embedding (Su et al. 2021): rotates pairs of channels by position times frequency. */

import { apply, type OpDefinition, type Tensor } from '../graph/node.js';
import { sameShape, shapeError, showShape } from '../graph/shape.js';
import { requireDType } from './elementwise.js';
import { constant } from './leaf.js';

interface RopeAttributes {
  interleaved: boolean;
  /** Rotate back: also the gradient. */
  inverse: boolean;
}

/** Inputs: x [..., heads, headDim], positions i32 [...], cos and sin [positions, headDim / 2]. */
const ropeOp: OpDefinition<RopeAttributes> = {
  name: 'rope',
  infer([x, positions, cos, sin]) {
    requireDType('rope', x, 'f32');
    requireDType('rope(positions)', positions, 'i32');
    const headDim = x.shape.at(-1) ?? 0;
    if (x.shape.length < 2 || !sameShape(positions.shape, x.shape.slice(0, -2))) {
      throw shapeError(
        `rope: x is ${showShape(x.shape)} [..., heads, headDim], so positions must be ${showShape(x.shape.slice(0, -2))}, got ${showShape(positions.shape)}`,
      );
    }
    if (
      headDim % 2 !== 0 ||
      cos.shape.length !== 2 ||
      cos.shape[1] !== headDim / 2 ||
      !sameShape(cos.shape, sin.shape)
    ) {
      throw shapeError(
        `rope: headDim ${headDim} must be even, and cos ${showShape(cos.shape)} and sin ${showShape(sin.shape)} must be [positions, ${headDim / 2}]`,
      );
    }
    return [x];
  },
  reference({ inputs: [x, positions, cos, sin], inputTypes: [type, , table], attributes: { interleaved, inverse } }) {
    const [heads, headDim] = type.shape.slice(-2);
    const half = headDim / 2;
    const result = x.slice();
    positions.forEach((position, row) => {
      if (position < 0 || position >= table.shape[0]) return;
      for (let head = 0; head < heads; head++) {
        const at = (row * heads + head) * headDim;
        for (let i = 0; i < half; i++) {
          const [first, second] = interleaved ? [at + 2 * i, at + 2 * i + 1] : [at + i, at + i + half];
          const c = cos[position * half + i];
          const s = inverse ? -sin[position * half + i] : sin[position * half + i];
          result[first] = x[first] * c - x[second] * s;
          result[second] = x[first] * s + x[second] * c;
        }
      }
    });
    return [result];
  },
  gradient({ inputs: [, positions, cos, sin], gradients: [g], attributes: { interleaved, inverse } }) {
    const dx = g && apply(ropeOp, [g, positions, cos, sin], { interleaved, inverse: !inverse });
    return [dx, undefined, undefined, undefined];
  },
  kernel({ inputs, attributes: { interleaved, inverse }, reads: [x, positions, cos, sin], writes: [output] }) {
    return {
      kind: 'rope',
      rows: inputs[1].size,
      heads: inputs[0].shape.at(-2)!,
      headDim: inputs[0].shape.at(-1)!,
      tableRows: inputs[2].shape[0],
      ...{ interleaved, inverse, x, positions, cos, sin, output },
    };
  },
};

export interface RopeTable {
  /** [positions, headDim / 2] */
  cos: Tensor;
  /** [positions, headDim / 2] */
  sin: Tensor;
}

/** cos and sin of position * theta^(-2i / headDim) of pair i, computed in f64. */
export function ropeTable(options: {
  positions: number;
  headDim: number;
  theta?: number;
  /** Which pairs turn; the others stay as they are, at cos 1 and sin 0. Default: all. */
  turns?: (pair: number) => boolean;
}): RopeTable {
  const { positions, headDim, theta = 10_000, turns = () => true } = options;
  const half = headDim / 2;
  const cos = new Float32Array(positions * half);
  const sin = new Float32Array(positions * half);
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < half; i++) {
      const angle = turns(i) ? position * theta ** ((-2 * i) / headDim) : 0;
      cos[position * half + i] = Math.cos(angle);
      sin[position * half + i] = Math.sin(angle);
    }
  }
  return { cos: constant(cos, [positions, half]), sin: constant(sin, [positions, half]) };
}

/**
 * Rotates x [..., heads, headDim] by i32 positions [...]. Pairs are (2i, 2i + 1) when `interleaved` (Llama; the default),
 * else (i, i + headDim / 2) (Hugging Face). A position outside the table leaves its row as it is.
 */
export function rope(x: Tensor, positions: Tensor, table: RopeTable, options: { interleaved?: boolean } = {}): Tensor {
  return apply(ropeOp, [x, positions, table.cos, table.sin], {
    interleaved: options.interleaved ?? true,
    inverse: false,
  });
}
