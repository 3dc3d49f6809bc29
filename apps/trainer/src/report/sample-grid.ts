/** @file Pictures of what the model draws, as PNG files. */
import { writeFile } from 'node:fs/promises';
import { imageOf } from '@transfusion/data';
import { createSampler, type Sampler } from '@transfusion/sampler';
import type { TrainingSession } from '../train/session.js';
import { comparisonGrid } from './comparison-grid.js';

/** A sampler of the run's averaged weights. */
export function sessionSampler({ backend, pipeline, state, tokenizer, codec }: TrainingSession): Sampler {
  return createSampler({ backend, config: pipeline, parameters: state.ema, tokenizer, codec });
}

/** Draws the first captions and writes training images above drawn ones. */
export async function writeSampleGrid(
  session: TrainingSession,
  options: { path: string; images: number },
): Promise<void> {
  const sampler = sessionSampler(session);
  try {
    const examples = session.examples.train.slice(0, options.images);
    const prompts = examples.map(({ caption }) => caption);
    const drawn = await sampler.drawImages({ prompts, seed: session.config.seed, ...session.config.sampling });
    await writeFile(options.path, comparisonGrid(examples.map(imageOf), drawn));
  } finally {
    sampler.dispose();
  }
}
