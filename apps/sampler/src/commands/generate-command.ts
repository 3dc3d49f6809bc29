/** @file `sampler generate`: images from a caption. */
import { parse } from 'node:path';
import { type BackendChoice, createProgress, type Progress, type Terminal } from '@transfusion/app-common';
import { checkWritableFile, writeOutputFile } from '@transfusion/checkpoint/node';
import { encodePng, imageGrid, type RgbImage } from '@transfusion/data';
import type { ImageSamplingOptions } from '@transfusion/sampler';
import { TransfusionError } from '@transfusion/tensor';
import { withSampler } from '../open-sampler.js';

export interface GenerateCommandOptions {
  model?: string;
  prompt: string;
  out: string;
  /** How many images. */
  n: number;
  seed: number;
  /** Side of the square that a pixel of the model becomes. */
  scale: number;
  image: ImageSamplingOptions;
  backend: BackendChoice;
}

export async function generateCommand(options: GenerateCommandOptions, terminal: Terminal): Promise<void> {
  const { prompt, out, n, seed, scale } = options;
  const files = outputFiles(out, n);
  for (const file of [out, ...files]) await checkWritableFile(file);
  const drawn = await withSampler(
    { ...options, uses: { draws: true, follows: prompt.trim() !== '' } },
    terminal,
    async (sampler): Promise<RgbImage[]> => {
      let progress: Progress | undefined;
      try {
        const prompts = new Array<string>(n).fill(prompt);
        const onStep = ({ step, steps }: { step: number; steps: number }) => {
          progress ??= createProgress({ label: 'drawing', total: steps });
          progress.update(step);
        };
        const images = await sampler.drawImages({ ...options.image, prompts, seed, signal: terminal.signal, onStep });
        const { size } = sampler.config.image;
        return images.map((data) => ({ width: size, height: size, data }));
      } finally {
        progress?.stop();
      }
    },
  );
  const single = (image: RgbImage) => imageGrid([image], { columns: 1, scale, gap: 0 });
  if (n === 1) await writeOutputFile(out, encodePng(single(drawn[0])));
  else {
    await writeOutputFile(out, encodePng(imageGrid(drawn, { columns: Math.ceil(Math.sqrt(n)), scale })));
    for (const [i, file] of files.entries()) await writeOutputFile(file, encodePng(single(drawn[i])));
  }
  for (const file of [out, ...files]) terminal.out(file);
}

/** Of more than one image: the files of the single ones, beside the grid. */
function outputFiles(out: string, n: number): string[] {
  const { dir, name, ext } = parse(out);
  if (ext.toLowerCase() !== '.png') {
    throw new TransfusionError({
      code: 'OUTPUT_FORMAT',
      message: `--out ${out}: images are written as PNG`,
      fix: `use --out ${out.replace(/\.[^./\\]*$/, '')}.png`,
    });
  }
  if (n === 1) return [];
  const digits = String(n).length;
  const beside = dir === '' ? '' : `${dir}/`;
  return Array.from({ length: n }, (_, i) => `${beside}${name}-${String(i + 1).padStart(digits, '0')}${ext}`);
}
