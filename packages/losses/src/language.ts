/** @file The language-model loss, next-token cross-entropy per token, and what keeps its logits from drifting. */
import { constant, crossEntropy, sizeOf, type Tensor } from '@transfusion/tensor';

interface LanguageLossOptions {
  /** [..., vocabulary] */
  logits: Tensor;
  /** i32 [...]; negative: no target. */
  targets: Tensor;
  /** Number of targets to divide by (of a whole batch that is accumulated in parts); default: of these. */
  count?: Tensor;
}

/**
 * Mean cross-entropy over the targets. The paper's masking is in them: none where the input is BOI or a patch; BOI itself is a
 * target.
 */
export function languageLoss({ logits, targets, count = targetCount(targets) }: LanguageLossOptions): Tensor {
  return crossEntropy(logits, targets).sum().div(count);
}

/**
 * Mean of log^2 Z over the positions that have a target, with Z the sum of the exponentials of a position's logits. A shift of
 * all logits, which cross-entropy does not see, grows freely without it: with a weight of 1e-5 Chameleon (arXiv 2405.09818,
 * section 2.3) keeps training stable, as PaLM did before (arXiv 2204.02311, section 5).
 */
export function zLoss({ logits, targets, count = targetCount(targets) }: LanguageLossOptions): Tensor {
  return logPartition(logits).square().mul(hasTarget(targets)).sum().div(count);
}

/** log Z: the cross-entropy of any class, here the first, is log Z less its logit. [..., vocabulary] -> [...] */
function logPartition(logits: Tensor): Tensor {
  const rows = logits.shape.slice(0, -1);
  const first = constant(new Int32Array(sizeOf(rows)), rows);
  return crossEntropy(logits, first).add(logits.slice(rows.length, 0, 1).reshape(rows));
}

/** 1 where there is a target, else 0. */
function hasTarget(targets: Tensor): Tensor {
  return targets.toFloat().greaterEqual(0);
}

function targetCount(targets: Tensor): Tensor {
  return hasTarget(targets).sum().maximum(1);
}
