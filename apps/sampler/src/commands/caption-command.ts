/** @file `sampler caption`: captions of images, one line each. */
import type { BackendChoice, Terminal } from '@transfusion/app-common';
import { readImage } from '@transfusion/data/node';
import { withSampler } from '../open-sampler.js';

export interface CaptionCommandOptions {
  model?: string;
  image: readonly string[];
  maxTokens: number;
  backend: BackendChoice;
}

export async function captionCommand(options: CaptionCommandOptions, terminal: Terminal): Promise<void> {
  const { image: paths, maxTokens } = options;
  await withSampler({ ...options, uses: { describes: true } }, terminal, async (sampler) => {
    const images: Float32Array[] = [];
    for (const path of paths) images.push(await readImage(path, sampler.config.image.size));
    const captions = await sampler.captionImages({ images, maxTokens, signal: terminal.signal });
    for (const caption of captions) terminal.out(oneLine(caption));
  });
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
