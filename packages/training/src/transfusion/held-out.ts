/** @file The losses on what was held out, with the averaged weights. */
import { compileLosses } from '../compile-step.js';
import type { BatchArrays } from './batches.js';
import type { TransfusionSession } from './task.js';

interface Losses {
  language: number;
  diffusion: number;
}

/**
 * Mean losses over the held-out pictures and, apart, the language loss over held-out texts; whole batches of them. Noise and
 * timesteps are fixed by the seed. What there is none of is left out.
 */
export async function evaluateHeldOut(session: TransfusionSession): Promise<Record<string, Partial<Losses>>> {
  const { backend, state, objective, batch: shape, source } = session;
  const [images, texts] = [session.examples.heldOut, session.texts.heldOut];
  if (images.length + texts.length === 0) return {};
  const compiled = await compileLosses(backend, objective, { parameters: state.ema });
  const mean = async (count: number, batch: (index: number) => BatchArrays): Promise<Losses> => {
    let [language, diffusion] = [0, 0];
    for (let index = 0; index < count; index++) {
      const result = await compiled.run({ batch: batch(index) });
      language += result.language[0] / count;
      diffusion += result.diffusion[0] / count;
    }
    return { language, diffusion };
  };
  try {
    const result: Record<string, Partial<Losses>> = {};
    if (images.length > 0) {
      const count = Math.ceil(images.length / (shape.rows * shape.imagesPerRow));
      result.heldOut = await mean(count, (index) => source.evaluation(images, index));
    }
    if (texts.length > 0) {
      const rows = Math.ceil(texts.length / shape.rows);
      const { language } = await mean(rows, (index) => source.textEvaluation(texts, index));
      result.heldOutTexts = { language };
    }
    return result;
  } finally {
    compiled.dispose();
  }
}
