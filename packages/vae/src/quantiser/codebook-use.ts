/** @file How much of a codebook is in use, and new life for the codes that are not. */
import { fill, gather, randomUniform, scatterAdd, select, type Tensor } from '@transfusion/tensor';

/** How often each code occurs in `codes` (i32, any shape): f32 [codebook size]. */
export function countCodes(codes: Tensor, codebookSize: number): Tensor {
  return scatterAdd(fill(codes.shape, 1), codes, codebookSize);
}

export interface CodebookUse {
  /** Codes that occur. */
  used: number;
  /** `used` of all. */
  share: number;
  /** exp of the entropy of the codes' frequencies: as many codes, evenly used, would say as much. */
  perplexity: number;
}

/** From counts, as `countCodes` gives them or sums of such. */
export function codebookUse(counts: ArrayLike<number>): CodebookUse {
  const list = Array.from(counts);
  const total = list.reduce((sum, count) => sum + count, 0);
  const used = list.filter((count) => count > 0).length;
  const entropy = list.reduce((sum, count) => (count > 0 ? sum - (count / total) * Math.log(count / total) : sum), 0);
  return { used, share: used / list.length, perplexity: Math.exp(entropy) };
}

export interface RevivedCodes {
  /** `[codes, channels]`: dead codes are replaced by vectors of the batch, drawn with replacement. */
  codebook: Tensor;
  /** f32 [codes]: 1 where a code was dead. An optimizer's moments of these rows should become 0. */
  dead: Tensor;
}

/**
 * Puts codes that are hardly used where vectors are (Zeghidour et al. 2021, SoundStream, section 3.3): a function of
 * its inputs and the seed.
 */
export function reviveDeadCodes(options: {
  /** [codes, channels] */
  codebook: Tensor;
  /** f32 [codes]: uses since the last revival, or a moving average of them. */
  counts: Tensor;
  /** What the encoder gives to a batch, f32 [..., channels]. */
  vectors: Tensor;
  /** Codes used less often than this are dead: one element, or a number. 0 revives none. */
  threshold: Tensor | number;
  /** i32 [4]: Philox key and counter; another one at every revival. */
  seed: Tensor;
  /** Random stream; default 0. */
  stream?: number;
}): RevivedCodes {
  const { codebook, counts, vectors, threshold, seed, stream = 0 } = options;
  const [codes, channels] = codebook.shape;
  const rows = vectors.reshape([-1, channels]);
  const count = rows.shape[0];
  // A uniform number is below 1, but its product with the count may round up to it.
  const drawn = randomUniform({ seed, shape: [codes], stream })
    .mul(count)
    .floor()
    .minimum(count - 1)
    .toInt();
  const dead = counts.less(threshold); // [codes]
  return { codebook: select(dead.reshape([codes, 1]), gather(rows, drawn), codebook), dead };
}
