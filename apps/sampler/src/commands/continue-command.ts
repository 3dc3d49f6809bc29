/** @file `sampler continue`: a document of texts and images goes on. */
import { basename, join } from 'node:path';
import {
  type AdapterChoice,
  type BackendChoice,
  createProgress,
  type Progress,
  type Terminal,
} from '@transfusion/app-common';
import { checkWritableFolder, writeOutputFile } from '@transfusion/checkpoint/node';
import type { ImageSize, RgbImage } from '@transfusion/data';
import { readFittedImage } from '@transfusion/data/node';
import {
  completeImageSampling,
  type DrawingSettings,
  encodeDrawing,
  type ImageSamplingOptions,
  imageSizes,
  type PromptPart,
  type Sampler,
  type TextSamplingOptions,
} from '@transfusion/sampler';
import { TransfusionError } from '@transfusion/tensor';
import { type DrawnBy, withHashedSampler } from '../open-sampler.js';
import { SOFTWARE } from '../software.js';
import { sha256, sourceFile } from '../source-files.js';

/** A part of the prompt as it was given on the command line. */
export type GivenPart = { text: string } | { imagePath: string };

export interface ContinueCommandOptions {
  model?: string;
  lora?: AdapterChoice[];
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
  /** Of the images that are drawn; default: the model's. */
  size?: ImageSize;
  backend: BackendChoice;
}

export async function continueCommand(options: ContinueCommandOptions, terminal: Terminal): Promise<void> {
  if (options.draw && options.maxImages === 0) {
    throw new TransfusionError({
      code: 'CONTINUE_OPTIONS',
      message: '--draw begins with an image, and --max-images 0 allows none',
      fix: 'leave one of them out',
    });
  }
  await checkWritableFolder(options.out);
  const uses = { draws: options.draw, describes: options.parts.some((part) => 'imagePath' in part) };
  await withHashedSampler({ ...options, uses }, terminal, async (sampler, by) => {
    const prompt = await readParts(options.parts, imageSizes(sampler.config.image));
    const settings = await drawingSettings(options, sampler, by);
    const writer = new PartWriter({ folder: options.out, terminal, settings });
    const { seed, maxTokens, maxImages, draw: forceImage, text, image, size } = options;
    const { signal } = terminal;
    let progress: Progress | undefined;
    try {
      const choices = { seed, maxTokens, maxImages, forceImage, text, image, size, signal };
      for await (const event of sampler.generate({ prompt, ...choices })) {
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
          const nothing = writer.count === 0 ? '; it wrote nothing, and there is no file' : '';
          terminal.log(`${REASONS[event.reason]}${nothing}`);
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

async function readParts(parts: readonly GivenPart[], sizes: readonly ImageSize[]): Promise<PromptPart[]> {
  const prompt: PromptPart[] = [];
  for (const part of parts) {
    if ('text' in part) prompt.push(part);
    else prompt.push({ image: await readFittedImage(part.imagePath, sizes) });
  }
  return prompt;
}

type ContinueSettings = DrawingSettings & { command: 'continue' };

/** Of the first image: what stands before it is the document that was given. */
async function drawingSettings(
  { parts, seed, image }: ContinueCommandOptions,
  { config }: Sampler,
  by: DrawnBy,
): Promise<ContinueSettings> {
  const given = parts.map(async (part) => ('text' in part ? part : { image: await sourceFile(part.imagePath) }));
  const { width, height } = imageSizes(config.image)[0];
  return {
    command: 'continue',
    ...{ version: 1, software: SOFTWARE, ...by, seed, parts: await Promise.all(given), index: 0 },
    image: completeImageSampling(config, image),
    // Of each image its own, when it is there.
    size: { width, height },
  };
}

/** Writes each part as soon as it is complete. */
class PartWriter {
  readonly #folder: string;
  readonly #terminal: Terminal;
  /** Of the next image. */
  #settings: ContinueSettings;
  #text = '';
  #count = 0;

  constructor(options: { folder: string; terminal: Terminal; settings: ContinueSettings }) {
    this.#folder = options.folder;
    this.#terminal = options.terminal;
    this.#settings = options.settings;
  }

  /** Parts that were written. */
  get count(): number {
    return this.#count;
  }

  addText(text: string): void {
    this.#text += text;
  }

  async writeImage(image: RgbImage): Promise<void> {
    await this.#endText();
    const path = this.#nextPath('png');
    const file = encodeDrawing(image, { ...this.#settings, size: { width: image.width, height: image.height } });
    await writeOutputFile(path, file);
    this.#goOn({ image: { name: basename(path), sha256: sha256(file) } });
    this.#settings = { ...this.#settings, index: this.#settings.index + 1 };
    this.#terminal.out(path);
  }

  async finish(): Promise<void> {
    await this.#endText();
  }

  async #endText(): Promise<void> {
    if (this.#text === '') return;
    await writeOutputFile(this.#nextPath('txt'), this.#text);
    this.#terminal.out(this.#text);
    this.#goOn({ text: this.#text });
    this.#text = '';
  }

  /** A part is what the next image has before it. */
  #goOn(part: ContinueSettings['parts'][number]): void {
    this.#settings = { ...this.#settings, parts: [...this.#settings.parts, part] };
  }

  #nextPath(extension: string): string {
    this.#count++;
    return join(this.#folder, `${String(this.#count).padStart(3, '0')}.${extension}`);
  }
}
