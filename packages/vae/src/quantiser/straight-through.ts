/** @file Quantisation that trains: the gradient passes the codebook by (van den Oord et al. 2017, section 3.2). */
import type { Tensor } from '@transfusion/tensor';
import { codeVectors, nearestCodes } from './nearest-codes.js';

export interface Quantised {
  /** i32 [batch, height, width] */
  codes: Tensor;
  /** `[batch, height, width, channels]`: the codes' vectors in value, the encoder's vectors in gradient. */
  quantised: Tensor;
  /** The codes' vectors, [batch, height, width, channels]: their gradient reaches the codebook. */
  codeVectors: Tensor;
}

/** Nearest codes of `vectors` [batch, height, width, channels] in `codebook` [codes, channels]. */
export function quantiseStraightThrough({ vectors, codebook }: { vectors: Tensor; codebook: Tensor }): Quantised {
  const codes = nearestCodes({ vectors: vectors.detach(), codebook: codebook.detach() });
  const found = codeVectors({ codes, codebook });
  const quantised = vectors.add(found.sub(vectors).detach());
  return { codes, quantised, codeVectors: found };
}
