/**
 * @file One cross-entropy over all tokens: text alone, and text with images as tokens (Chameleon, arXiv 2405.09818), the rivals
 * that the paper compares with (sections 4.1 and 4.2).
 */
import { zLoss } from '@transfusion/losses';
import { crossEntropy, scalar, type Tensor } from '@transfusion/tensor';
import { forward, languageLogits } from '@transfusion/transformer';
import { tracedModel, trainedSpec } from '../transfusion/base-model.js';
import {
  atLeastOne,
  BATCH_TOTALS,
  batchInputs,
  type TransfusionObjective,
  type TransfusionObjectiveOptions,
} from '../transfusion/objective.js';

/**
 * For a model whose images are tokens, or that has none. The total is the mean over all targets of a step. Its terms: `language`,
 * the mean over text; with images `codes`, the mean over what an image consists of after its BOI, codes and EOI; `z`, log^2 Z,
 * where that has a weight.
 */
export function chameleonObjective(options: TransfusionObjectiveOptions): TransfusionObjective {
  const { model, codes, checkpointActivations, lora, zLoss: zWeight = 0 } = options;
  return {
    parameters: trainedSpec(model, lora),
    inputs: batchInputs(options),
    totals: BATCH_TOTALS,
    losses(state, { tokens, positions, begin, end, targets, targetCount, imageCount }) {
      const p = tracedModel(state, lora);
      const inputs = { tokens, positions, begin, end };
      const { hidden } = forward(model, p, inputs, { checkpointBlocks: checkpointActivations });
      const logits = languageLogits(p, hidden);
      const perTarget = crossEntropy(logits, targets); // [B, T], 0 where there is no target
      const [all, ofImages] = [atLeastOne(targetCount), imageCount.reshape([])];
      const sum = perTarget.sum();
      const imageSum = codes ? perTarget.mul(isOfImage(targets, codes)).sum() : scalar(0);
      const terms = {
        language: sum.sub(imageSum).div(all.sub(ofImages).maximum(1)),
        ...(codes && { codes: imageSum.div(ofImages.maximum(1)) }),
      };
      const mean = sum.div(all);
      if (zWeight === 0) return { total: mean, terms };
      const z = zLoss({ logits, targets, count: all });
      return { total: mean.add(z.mul(zWeight)), terms: { ...terms, z } };
    },
  };
}

/** Which ids stand for what an image consists of. */
export interface ImageTargets {
  /** Id of the first code; those of text are below. */
  first: number;
  eoi: number;
}

/** 1 where the target is a code or EOI, else 0. */
function isOfImage(targets: Tensor, { first, eoi }: ImageTargets): Tensor {
  const ids = targets.toFloat();
  return ids.greaterEqual(first).maximum(ids.equal(eoi));
}

/** How many targets there are, and how many of them are of images: on the host. */
export function countTokenTargets(targets: Int32Array, { first, eoi }: ImageTargets): { all: number; images: number } {
  let [all, images] = [0, 0];
  for (const target of targets) {
    if (target >= 0) all++;
    if (target >= first || target === eoi) images++;
  }
  return { all, images };
}
