/** @file Pictures of what the model draws, as PNG files. */
import { writeFile } from 'node:fs/promises';
import { encodePng, imageGrid, imageOf, type RgbImage } from '@transfusion/data';
import { createSampler, type Sampler } from '@transfusion/sampler';
import type { TrainingSession } from '../train/session.js';

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
    await writeComparison(options.path, examples.map(imageOf), drawn);
  } finally {
    sampler.dispose();
  }
}

/** Rows of eight: images, and below each the drawn one. */
export async function writeComparison(path: string, images: RgbImage[], drawn: Float32Array[]): Promise<void> {
  const columns = Math.min(8, images.length);
  const cells: RgbImage[] = [];
  for (let start = 0; start < images.length; start += columns) {
    const row = images.slice(start, start + columns);
    const blank = { ...images[0], data: new Float32Array(images[0].data.length).fill(1) };
    const fill = Array.from({ length: columns - row.length }, () => blank);
    const own = row.map(({ width, height }, i) => ({ width, height, data: drawn[start + i] }));
    cells.push(...row, ...fill, ...own, ...fill);
  }
  const scale = Math.max(1, Math.floor(72 / images[0].width));
  await writeFile(path, encodePng(imageGrid(cells, { columns, scale, gap: 4 })));
}
