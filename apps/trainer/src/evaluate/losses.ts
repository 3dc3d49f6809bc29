/** @file The two losses on given examples, with the averaged weights. */

import type { TrainingExample } from '../data/batches.js';
import type { TrainingSession } from '../train/session.js';
import { compileLosses } from '../train/train-step.js';

/** Mean losses over the examples (whole batches of them). Noise and timesteps are fixed by the seed. */
export async function evaluateLosses(session: TrainingSession, examples: readonly TrainingExample[]) {
  const { backend, state, options, batches } = session;
  const compiled = await compileLosses(backend, state.ema, options);
  try {
    const count = Math.max(1, Math.ceil(examples.length / (options.batch.rows * options.batch.imagesPerRow)));
    let [language, diffusion] = [0, 0];
    for (let index = 0; index < count; index++) {
      const result = await compiled.run({ batch: batches.evaluation(examples, index) });
      language += result.language[0] / count;
      diffusion += result.diffusion[0] / count;
    }
    return { language, diffusion };
  } finally {
    compiled.dispose();
  }
}
