/** @file The losses on what was held out, with the averaged weights. */
import { nextTask } from '@transfusion/core';
import { compileLosses } from '../compile-step.js';
import type { EvaluationBatch } from './batches.js';
import { objectiveOf } from './objective-of.js';
import type { TransfusionSession } from './session.js';

interface Losses {
  language: number;
  /** Where images are diffused. */
  diffusion: number;
  /** Where they are tokens: the mean over these. */
  codes: number;
}

/**
 * Mean losses over the held-out pictures and documents and, apart, the language loss over held-out texts. Every target and every
 * image counts once, whatever the batches are. Noise and timesteps are fixed by the seed. What there is none of is left out.
 * The diffusion loss is the plain squared error of what is predicted, at uniform timesteps: runs of one prediction and one noise
 * schedule compare, whatever `objective` they were trained with.
 */
export async function evaluateHeldOut(
  session: TransfusionSession,
  signal?: AbortSignal,
): Promise<Record<string, Partial<Losses>>> {
  const { backend, state, sizes, source, examples, documents, texts } = session;
  const withImages = source.evaluation({ examples: examples.heldOut, documents: documents.heldOut });
  const plain = source.evaluation({ texts: texts.heldOut });
  if (withImages.length + plain.length === 0) return {};
  const objective = objectiveOf({ ...sizes, noise: 'given' });
  const ofImages = sizes.codes ? 'codes' : 'diffusion';
  const compiled = await compileLosses(backend, objective, { parameters: state.ema, constants: state.constants });
  const mean = async (batches: Iterable<EvaluationBatch>): Promise<Partial<Losses>> => {
    const sums = { language: 0, ofImages: 0, targets: 0, images: 0 };
    for (const { arrays, targets, images } of batches) {
      // Signals have their turn.
      await nextTask();
      signal?.throwIfAborted();
      const terms = await compiled.run({ batch: arrays });
      sums.language += terms.language[0];
      sums.ofImages += terms[ofImages]?.[0] ?? 0;
      sums.targets += targets;
      sums.images += images;
    }
    return {
      ...(sums.targets > 0 ? { language: sums.language / sums.targets } : {}),
      ...(sums.images > 0 ? { [ofImages]: sums.ofImages / sums.images } : {}),
    };
  };
  try {
    return {
      ...(withImages.length > 0 ? { heldOut: await mean(withImages) } : {}),
      ...(plain.length > 0 ? { heldOutTexts: await mean(plain) } : {}),
    };
  } finally {
    compiled.dispose();
  }
}
