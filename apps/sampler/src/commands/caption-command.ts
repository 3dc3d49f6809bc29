/** @file `sampler caption`: captions of images, one line each. */
import { type AdapterChoice, type BackendChoice, captionSearch, type Terminal } from '@transfusion/app-common';
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
  /** Default: 16 where the model diffuses images and there are several beams, else 0. */
  draws?: number;
  backend: BackendChoice;
}

export async function captionCommand(options: CaptionCommandOptions, terminal: Terminal): Promise<void> {
  const { image: paths, maxTokens } = options;
  await withSampler({ ...options, uses: { describes: true } }, terminal, async (sampler) => {
    const search = captionSearch(options, sampler.config.model);
    const sizes = imageSizes(sampler.config.image);
    const images: RgbImage[] = [];
    for (const path of paths) images.push(await readFittedImage(path, sizes));
    const captions = await sampler.captionImages({ images, maxTokens, ...search, signal: terminal.signal });
    for (const caption of captions) terminal.out(oneLine(caption));
  });
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
