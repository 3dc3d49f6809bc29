/** @file The losses on what was held out, with the averaged weights. */
import { compileLosses } from '../compile-step.js';
import type { EvaluationBatch } from './batches.js';
import { transfusionObjective } from './objective.js';
import type { TransfusionSession } from './task.js';

interface Losses {
  language: number;
  diffusion: number;
}

/**
 * Mean losses over the held-out pictures and documents and, apart, the language loss over held-out texts. Every target and every
 * image counts once, whatever the batches are. Noise and timesteps are fixed by the seed. What there is none of is left out.
 */
export async function evaluateHeldOut(session: TransfusionSession): Promise<Record<string, Partial<Losses>>> {
  const { backend, state, sizes, source, examples, documents, texts } = session;
  const withImages = source.evaluation({ examples: examples.heldOut, documents: documents.heldOut });
  const plain = source.evaluation({ texts: texts.heldOut });
  if (withImages.length + plain.length === 0) return {};
  const objective = transfusionObjective({ ...sizes, noise: 'given' });
  const compiled = await compileLosses(backend, objective, { parameters: state.ema });
  const mean = async (batches: readonly EvaluationBatch[]): Promise<Partial<Losses>> => {
    const sums = { language: 0, diffusion: 0, targets: 0, images: 0 };
    for (const { arrays, targets, images } of batches) {
      const { language, diffusion } = await compiled.run({ batch: arrays });
      sums.language += language[0];
      sums.diffusion += diffusion[0];
      sums.targets += targets;
      sums.images += images;
    }
    return {
      ...(sums.targets > 0 ? { language: sums.language / sums.targets } : {}),
      ...(sums.images > 0 ? { diffusion: sums.diffusion / sums.images } : {}),
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
