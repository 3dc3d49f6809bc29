/** @file `sampler continue`: a document of texts and images goes on. */
import { join } from 'node:path';
import { type BackendChoice, createProgress, type Progress, type Terminal } from '@transfusion/app-common';
import { checkWritableFolder, writeOutputFile } from '@transfusion/checkpoint/node';
import { encodePng } from '@transfusion/data';
import { readImage } from '@transfusion/data/node';
import type { ImageSamplingOptions, PromptPart, Sampler, TextSamplingOptions } from '@transfusion/sampler';
import { withSampler } from '../open-sampler.js';

/** A part of the prompt as it was given on the command line. */
export type GivenPart = { text: string } | { imagePath: string };

export interface ContinueCommandOptions {
  model?: string;
  /** In the order in which they were given. */
  parts: readonly GivenPart[];
  /** Folder for the parts that are written: 001.txt, 002.png, ... */
  out: string;
  seed: number;
  maxTokens: number;
  maxImages: number;
  /** Begin with an image. */
  draw: boolean;
  text: TextSamplingOptions;
  image: ImageSamplingOptions;
  backend: BackendChoice;
}

export async function continueCommand(options: ContinueCommandOptions, terminal: Terminal): Promise<void> {
  await checkWritableFolder(options.out);
  const uses = { draws: options.draw, describes: options.parts.some((part) => 'imagePath' in part) };
  await withSampler({ ...options, uses }, terminal, async (sampler) => {
    const writer = new PartWriter(options.out, sampler, terminal);
    const { seed, maxTokens, maxImages, draw: forceImage, text, image } = options;
    const prompt = await readParts(options.parts, sampler.config.image.size);
    const { signal } = terminal;
    let progress: Progress | undefined;
    try {
      const settings = { seed, maxTokens, maxImages, forceImage, text, image, signal };
      for await (const event of sampler.generate({ prompt, ...settings })) {
        if (event.type === 'token' || event.type === 'text') writer.addText(event.text);
        else if (event.type === 'denoise') {
          progress ??= createProgress({ label: 'drawing', total: event.steps });
          progress.update(event.step);
        } else if (event.type === 'image') {
          progress?.stop();
          progress = undefined;
          await writer.writeImage(event.image);
        } else {
          await writer.finish();
          terminal.log(REASONS[event.reason]);
        }
      }
    } finally {
      progress?.stop();
    }
  });
}

const REASONS = {
  eos: 'the model ended the document',
  stop: 'ended at a stop text',
  maxTokens: 'ended at --max-tokens',
  context: "ended at the end of the model's context",
};

async function readParts(parts: readonly GivenPart[], size: number): Promise<PromptPart[]> {
  const prompt: PromptPart[] = [];
  for (const part of parts) {
    prompt.push('text' in part ? part : { image: await readImage(part.imagePath, size) });
  }
  return prompt;
}

/** Writes each part as soon as it is complete. */
class PartWriter {
  readonly #folder: string;
  readonly #sampler: Sampler;
  readonly #terminal: Terminal;
  #text = '';
  #count = 0;

  constructor(folder: string, sampler: Sampler, terminal: Terminal) {
    this.#folder = folder;
    this.#sampler = sampler;
    this.#terminal = terminal;
  }

  addText(text: string): void {
    this.#text += text;
  }

  async writeImage(data: Float32Array): Promise<void> {
    await this.#endText();
    const { size } = this.#sampler.config.image;
    const path = this.#nextPath('png');
    await writeOutputFile(path, encodePng({ width: size, height: size, data }));
    this.#terminal.out(path);
  }

  async finish(): Promise<void> {
    await this.#endText();
  }

  async #endText(): Promise<void> {
    if (this.#text === '') return;
    await writeOutputFile(this.#nextPath('txt'), this.#text);
    this.#terminal.out(this.#text);
    this.#text = '';
  }

  #nextPath(extension: string): string {
    this.#count++;
    return join(this.#folder, `${String(this.#count).padStart(3, '0')}.${extension}`);
  }
}
