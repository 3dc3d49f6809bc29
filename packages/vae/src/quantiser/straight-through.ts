/** @file Quantisation that trains: the gradient passes the codebook by (van den Oord et al. 2017, section 3.2). */
import type { Tensor } from '@transfusion/tensor';
import { codeVectors, nearestCodes } from './nearest-codes.js';

/** A tensor twice: computed from what is differentiated, and from what counts as constant (see `trainableCopy` of nn). */
export interface LiveAndConstant {
  live: Tensor;
  constant: Tensor;
}

export interface Quantised {
  /** i32 [batch, height, width] */
  codes: Tensor;
  /** [batch, height, width, channels]: the codes' vectors in value, the encoder's vectors in gradient. */
  quantised: Tensor;
  /** The codes' vectors, [batch, height, width, channels]: their gradient reaches the codebook. */
  codeVectors: LiveAndConstant;
}

/** Nearest codes of `vectors` [batch, height, width, channels] in `codebook` [codes, channels]. */
export function quantiseStraightThrough(options: { vectors: LiveAndConstant; codebook: LiveAndConstant }): Quantised {
  const { vectors, codebook } = options;
  const codes = nearestCodes({ vectors: vectors.constant, codebook: codebook.constant });
  const found = {
    live: codeVectors({ codes, codebook: codebook.live }),
    constant: codeVectors({ codes, codebook: codebook.constant }),
  };
  const quantised = vectors.live.add(found.constant.sub(vectors.constant));
  return { codes, quantised, codeVectors: found };
}
