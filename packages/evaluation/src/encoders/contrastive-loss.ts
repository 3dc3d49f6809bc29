/** @file The symmetric contrastive loss of pictures and their captions (InfoNCE; CLIP: Radford et al. 2021, Figure 3). */
import { constant, crossEntropy, type Tensor } from '@transfusion/tensor';

/** The scale of similarities starts at 1 / 0.07 and is never above 100 (CLIP, section 2.5). Both are natural logarithms. */
export const INITIAL_LOG_SCALE = Math.log(1 / 0.07);
export const LARGEST_LOG_SCALE = Math.log(100);

/** So far below all similarities that its exponential is 0. */
const NEVER = 1e9;

/** x [..., channels] of length 1. */
export function unitLength(x: Tensor): Tensor {
  return x.mul(x.square().sum(-1, true).add(1e-12).rsqrt());
}

/** What similarities are multiplied by, [1]: the inverse of the temperature, bounded. */
export function similarityScale(logScale: Tensor): Tensor {
  return logScale.minimum(LARGEST_LOG_SCALE).exp();
}

/**
 * The mean of two cross-entropies over the similarities [batch, batch]: of every picture the caption that is its own, and of every
 * caption its picture. Pairs of `alsoTrue` are left out of both, as neither right nor wrong.
 */
export function contrastiveLoss(options: {
  /** [batch, embedding], of length 1. */
  images: Tensor;
  /** [batch, embedding], of length 1: row i is the caption of picture i. */
  texts: Tensor;
  /** [1] */
  logScale: Tensor;
  /** f32 [batch, batch]: 1 where text j is true of picture i, i not j; else 0. */
  alsoTrue: Tensor;
}): Tensor {
  const { images, texts, logScale, alsoTrue } = options;
  const [batch] = images.shape;
  const similarities = images.matmul(texts, { transposeB: true }).mul(similarityScale(logScale));
  const logits = similarities.sub(alsoTrue.mul(NEVER));
  const own = constant(
    Int32Array.from({ length: batch }, (_, i) => i),
    [batch],
  );
  const ofImages = crossEntropy(logits, own).mean();
  const ofTexts = crossEntropy(logits.transpose(), own).mean();
  return ofImages.add(ofTexts).mul(0.5);
}
