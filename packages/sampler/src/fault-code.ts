/** @file Where a value is not finite, as one number per image that a graph computes and the host reads. */
import { constant, select, type Tensor } from '@transfusion/tensor';

/** A value that is not finite. */
export interface Fault {
  /** Which of the image's values, from 0. */
  index: number;
  value: number;
}

const LARGEST = 2 ** 127 * (2 - 2 ** -23);
const KINDS = [undefined, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

/**
 * Of each image, 0 where all values are finite; else the code of the first that is not. Exact for images of up to four
 * million values.
 *
 * @param values [images, ...]
 * @returns [images]
 */
export function faultCode(values: Tensor): Tensor {
  const flat = values.reshape([values.shape[0], -1]);
  const count = flat.shape[1];
  // The earlier, the larger.
  const ranks = Float32Array.from({ length: count }, (_, i) => KINDS.length * (count - i));
  const kind = select(flat.greater(0), 2, select(flat.less(0), 3, 1));
  const code = constant(ranks, [1, count]).add(kind);
  return select(flat.abs().lessEqual(LARGEST), 0, code).max(1);
}

/** What a code that is not 0 says. @param count values of an image */
export function readFaultCode(code: number, count: number): Fault {
  return { index: count - Math.floor(code / KINDS.length), value: KINDS[code % KINDS.length]! };
}
