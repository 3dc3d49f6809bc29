/** @file `sampler caption`: captions of images, one line each. */
import type { AdapterChoice, BackendChoice, Terminal } from '@transfusion/app-common';
import type { RgbImage } from '@transfusion/data';
import { readFittedImage } from '@transfusion/data/node';
import { imageSizes } from '@transfusion/sampler';
import { withSampler } from '../open-sampler.js';

export interface CaptionCommandOptions {
  model?: string;
  lora?: AdapterChoice[];
  image: readonly string[];
  maxTokens: number;
  beams: number;
  backend: BackendChoice;
}

export async function captionCommand(options: CaptionCommandOptions, terminal: Terminal): Promise<void> {
  const { image: paths, maxTokens, beams } = options;
  await withSampler({ ...options, uses: { describes: true } }, terminal, async (sampler) => {
    const sizes = imageSizes(sampler.config.image);
    const images: RgbImage[] = [];
    for (const path of paths) images.push(await readFittedImage(path, sizes));
    const captions = await sampler.captionImages({ images, maxTokens, beams, signal: terminal.signal });
    for (const caption of captions) terminal.out(oneLine(caption));
  });
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
