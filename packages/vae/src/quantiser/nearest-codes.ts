/** @file From vectors to codes and back: the nearest entry of the codebook, by squared distance. */
import { concat, constant, gather, select, type Tensor } from '@transfusion/tensor';
import { inParts } from '../in-parts.js';

/** Scores of so many vector-code pairs are held at a time (64 MiB). */
const MOST_SCORES = 2 ** 24;

/**
 * The nearest code of each vector, the lowest of those equally near.
 *
 * |z - e|^2 = |z|^2 - 2 (z e - |e|^2 / 2): the nearest code has the greatest z e - |e|^2 / 2, which is a matrix product.
 * The maximum's position is the maximum, over the codes that reach it, of a number that falls from code to code.
 *
 * @returns i32 [...]; a vector that is not finite gets `codes`, which is no code
 */
export function nearestCodes({
  vectors,
  codebook,
}: {
  /** f32 `[..., channels]`. */
  vectors: Tensor;
  /** f32 `[codes, channels]`. */
  codebook: Tensor;
}): Tensor {
  const [codes, channels] = codebook.shape;
  const rows = vectors.reshape([-1, channels]); // [N, channels]
  const halfNorms = codebook.square().sum(1).mul(0.5); // [codes]
  const rank = constant(
    Float32Array.from({ length: codes }, (_, code) => codes - code),
    [codes],
  );
  const nearest = (some: Tensor) => {
    const scores = some.matmul(codebook, { transposeB: true }).sub(halfNorms); // [n, codes]
    const isBest = scores.equal(scores.max(1, true));
    return select(isBest, rank, 0).max(1).mul(-1).add(codes); // [n]
  };
  const count = rows.shape[0];
  const parts = inParts(count, MOST_SCORES / codes, (begin, end) => nearest(rows.slice(0, begin, end)));
  return concat(parts, 0).toInt().reshape(vectors.shape.slice(0, -1));
}

/** Codes i32 [...] to their vectors [..., channels]. */
export function codeVectors({ codes, codebook }: { codes: Tensor; codebook: Tensor }): Tensor {
  return gather(codebook, codes);
}
