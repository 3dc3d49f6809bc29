/** @file `sampler edit`: an image as an instruction says. */
import {
  type AdapterChoice,
  type BackendChoice,
  createProgress,
  type Progress,
  type Terminal,
} from '@transfusion/app-common';
import { checkWritableFile, writeOutputFile } from '@transfusion/checkpoint/node';
import { imageGrid } from '@transfusion/data';
import { readFittedImage } from '@transfusion/data/node';
import { completeImageSampling, encodeDrawing, type ImageSamplingOptions, imageSizes } from '@transfusion/sampler';
import { withHashedSampler } from '../open-sampler.js';
import { checkPng, refuseSources } from '../output-file.js';
import { SOFTWARE } from '../software.js';
import { sourceFile } from '../source-files.js';

export interface EditCommandOptions {
  model?: string;
  lora?: AdapterChoice[];
  /** The file that is edited. */
  imagePath: string;
  prompt: string;
  out: string;
  seed: number;
  /** Side of the square that a pixel of the model becomes. */
  scale: number;
  image: ImageSamplingOptions;
  backend: BackendChoice;
}

export async function editCommand(options: EditCommandOptions, terminal: Terminal): Promise<void> {
  const { imagePath, prompt, out, seed, scale } = options;
  checkPng(out);
  await refuseSources([out], { '--image': imagePath });
  await checkWritableFile(out);
  const uses = { draws: true, edits: true, follows: prompt.trim() !== '' };
  const file = await withHashedSampler({ ...options, uses }, terminal, async (sampler, by) => {
    let progress: Progress | undefined;
    try {
      const onStep = ({ step, steps }: { step: number; steps: number }) => {
        progress ??= createProgress({ label: 'drawing', total: steps });
        progress.update(step);
      };
      const images = [await readFittedImage(imagePath, imageSizes(sampler.config.image))];
      const given = { images, prompts: [prompt], seed, signal: terminal.signal, onStep };
      const [drawn] = await sampler.editImages({ ...options.image, ...given });
      return encodeDrawing(imageGrid([drawn], { columns: 1, scale, gap: 0 }), {
        ...{ command: 'edit', version: 1, software: SOFTWARE, ...by, seed, prompt, scale },
        edited: await sourceFile(imagePath),
        image: completeImageSampling(sampler.config, options.image),
        size: { width: drawn.width, height: drawn.height },
      });
    } finally {
      progress?.stop();
    }
  });
  await writeOutputFile(out, file);
  terminal.out(out);
}
