/** @file The losses on what was held out, with the averaged weights. */
import type { BatchArrays } from '../data/batches.js';
import type { TrainingSession } from '../train/session.js';
import { compileLosses } from '../train/train-step.js';

interface Losses {
  language: number;
  diffusion: number;
}

/**
 * Mean losses over the held-out pictures and, apart, the language loss over held-out texts; whole batches of them. Noise and
 * timesteps are fixed by the seed. What there is none of is left out.
 */
export async function evaluateHeldOut(session: TrainingSession): Promise<Record<string, Partial<Losses>>> {
  const { backend, state, options, batches } = session;
  const { rows, imagesPerRow } = options.batch;
  const [images, texts] = [session.examples.heldOut, session.texts.heldOut];
  if (images.length + texts.length === 0) return {};
  const compiled = await compileLosses(backend, state.ema, options);
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
      const count = Math.ceil(images.length / (rows * imagesPerRow));
      result.heldOut = await mean(count, (index) => batches.evaluation(images, index));
    }
    if (texts.length > 0) {
      const { language } = await mean(Math.ceil(texts.length / rows), (index) => batches.textEvaluation(texts, index));
      result.heldOutTexts = { language };
    }
    return result;
  } finally {
    compiled.dispose();
  }
}
