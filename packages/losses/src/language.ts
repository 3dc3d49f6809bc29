/** @file The language-model loss: next-token cross-entropy per token. */
import { crossEntropy, type Tensor } from '@transfusion/tensor';

/**
 * Mean cross-entropy of logits [..., vocabulary] over the targets (i32 [...]; negative: no target). The paper's masking
 * is in the targets: none where the input is BOI or a patch; BOI itself is a target.
 * @param count number of targets to divide by (of a whole batch that is accumulated in parts); default: of these.
 */
export function languageLoss(options: { logits: Tensor; targets: Tensor; count?: Tensor }): Tensor {
  const { logits, targets } = options;
  const count = options.count ?? targets.toFloat().greaterEqual(0).sum().maximum(1);
  return crossEntropy(logits, targets).sum().div(count);
}
