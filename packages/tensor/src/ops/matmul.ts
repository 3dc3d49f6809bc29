/** @file Matrix product over the last two axes, either side transposed. */

import type { OpDefinition, Tensor, TensorType } from '../graph/node.js';
import { sameShape, shapeError, showShape, sizeOf } from '../graph/shape.js';
import { requireDType } from './elementwise.js';

interface MatmulAttributes {
  transposeA: boolean;
  transposeB: boolean;
}

interface MatmulSizes {
  batch: number;
  m: number;
  n: number;
  k: number;
  /** Whether b is one matrix for the whole batch (then batch is merged into m where a is not transposed). */
  sharedB: boolean;
}

/** The sizes of a product, or an error naming the lengths that disagree. */
function matmulSizes(a: TensorType, b: TensorType, { transposeA, transposeB }: MatmulAttributes): MatmulSizes {
  const name = `matmul(a${transposeA ? ' transposed' : ''}, b${transposeB ? ' transposed' : ''})`;
  if (a.shape.length < 2 || b.shape.length < 2) {
    throw shapeError(`${name}: a is ${showShape(a.shape)}, b is ${showShape(b.shape)}; both need at least two axes`);
  }
  const [rows, inner] = transposeA ? [a.shape.at(-1)!, a.shape.at(-2)!] : [a.shape.at(-2)!, a.shape.at(-1)!];
  const [innerB, columns] = transposeB ? [b.shape.at(-1)!, b.shape.at(-2)!] : [b.shape.at(-2)!, b.shape.at(-1)!];
  if (inner !== innerB) {
    throw shapeError(
      `${name}: a is ${showShape(a.shape)}, b is ${showShape(b.shape)}; a's inner axis (${inner}) must equal b's (${innerB})`,
    );
  }
  const sharedB = b.shape.length === 2;
  if (!sharedB && !sameShape(a.shape.slice(0, -2), b.shape.slice(0, -2))) {
    throw shapeError(
      `${name}: a is ${showShape(a.shape)}, b is ${showShape(b.shape)}; leading axes must be equal, or b a single matrix`,
    );
  }
  return { batch: sizeOf(a.shape.slice(0, -2)), m: rows, n: columns, k: inner, sharedB };
}

export const matmulOp: OpDefinition<MatmulAttributes> = {
  name: 'matmul',
  infer([a, b], attributes) {
    requireDType('matmul', a, 'f32');
    requireDType('matmul', b, 'f32');
    const { m, n } = matmulSizes(a, b, attributes);
    return [{ shape: [...a.shape.slice(0, -2), m, n], dtype: 'f32' }];
  },
  reference({ inputs: [a, b], inputTypes, attributes }) {
    const { batch, m, n, k, sharedB } = matmulSizes(inputTypes[0], inputTypes[1], attributes);
    const { transposeA, transposeB } = attributes;
    const result = new Float64Array(batch * m * n);
    for (let s = 0; s < batch; s++) {
      const startA = s * m * k;
      const startB = sharedB ? 0 : s * k * n;
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let l = 0; l < k; l++) {
            sum += a[startA + (transposeA ? l * m + i : i * k + l)] * b[startB + (transposeB ? j * k + l : l * n + j)];
          }
          result[(s * m + i) * n + j] = sum;
        }
      }
    }
    return [result];
  },
  gradient({ inputs: [a, b], gradients: [g], attributes: { transposeA, transposeB } }) {
    if (!g) return [undefined, undefined];
    const da = transposeA
      ? b.rank === 2 && a.rank > 2
        ? sharedTransposedGradient(b, g, transposeB)
        : b.matmul(g, { transposeA: transposeB, transposeB: true })
      : g.matmul(b, { transposeB: !transposeB });
    // A shared b receives the sum over the batch: one product with the leading axes merged into the inner axis.
    const shared = b.rank === 2 && a.rank > 2;
    const left = shared ? mergeRows(transposeA ? a.transpose() : a) : a;
    const right = shared ? mergeRows(g) : g;
    const flip = transposeA && !shared;
    const db = transposeB
      ? right.matmul(left, { transposeA: true, transposeB: flip })
      : left.matmul(right, { transposeA: !flip });
    return [da, db];
  },
  product({ inputs: [a, b], attributes: { transposeA, transposeB } }) {
    const sizes = matmulSizes(a, b, { transposeA, transposeB });
    const { n, k, sharedB } = sizes;
    // One matrix b for the whole batch: the batch's rows are rows of one product.
    const merges = sharedB && !transposeA;
    const batch = merges ? 1 : sizes.batch;
    const m = merges ? sizes.batch * sizes.m : sizes.m;
    return {
      space: [batch, m, n],
      kernel: ([left, right], output, epilogue) => ({
        kind: 'matmul',
        ...{ batch, m, n, k },
        a: { buffer: left, transpose: transposeA, batchStride: merges ? 0 : m * k },
        b: { buffer: right, transpose: transposeB, batchStride: sharedB ? 0 : k * n },
        output,
        ...(epilogue ? { epilogue } : {}),
      }),
    };
  },
};

/** [..., r, c] -> [all leading axes times r, c] */
function mergeRows(x: Tensor): Tensor {
  return x.reshape([-1, x.shape.at(-1)!]);
}

/** d a for a^T @ b with b shared over the batch: (g @ b^T)^T, since the shared matrix cannot lead a batched product. */
function sharedTransposedGradient(b: Tensor, g: Tensor, transposeB: boolean): Tensor {
  return g.matmul(b, { transposeB: !transposeB }).transpose();
}
