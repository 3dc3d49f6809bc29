/** @file `sampler generate`: images from a caption, from another image, or like one that was drawn before. */
import { parse } from 'node:path';
import {
  type AdapterChoice,
  type BackendChoice,
  createProgress,
  type Progress,
  type Terminal,
} from '@transfusion/app-common';
import { checkWritableFile, writeOutputFile } from '@transfusion/checkpoint/node';
import { type ImageSize, imageGrid, type RgbImage } from '@transfusion/data';
import { completeImageSampling, drawingBatches, encodeDrawing, imageSizes, type Sampler } from '@transfusion/sampler';
import { TransfusionError } from '@transfusion/tensor';
import {
  besideLike,
  changedOptions,
  checkModel,
  compareSources,
  type GenerateSettings,
  type ImageOptions,
  mergedImageOptions,
  readLike,
} from '../like.js';
import { type DrawnBy, withHashedSampler } from '../open-sampler.js';
import { checkPng, namedAfter, refuseSources } from '../output-file.js';
import { SOFTWARE } from '../software.js';
import { readSource, type SourceFiles } from '../source-files.js';

/** What the command line says; what is missing is as in the file `like`, or as usual. */
export interface GenerateCommandOptions {
  model?: string;
  lora?: AdapterChoice[];
  /** A picture that was drawn before. */
  like?: string;
  prompt?: string;
  out?: string;
  /** How many images. */
  n?: number;
  seed?: number;
  /** Side of the square that a pixel of the model becomes. */
  scale?: number;
  image: ImageOptions;
  /** Default: that of `from`, or the model's. */
  size?: ImageSize;
  /** Picture to start from, and what of it is repainted. */
  from?: string;
  mask?: string;
  backend: BackendChoice;
}

const MAX_BATCH = 16;

/** What is to be drawn. */
interface Drawing extends Pick<GenerateSettings, 'prompt' | 'n' | 'index' | 'maxBatch' | 'seed' | 'scale'> {
  out: string;
  image: ImageOptions;
  size?: ImageSize;
}

export async function generateCommand(options: GenerateCommandOptions, terminal: Terminal): Promise<void> {
  const like = options.like === undefined ? undefined : await readLike(options.like);
  const drawing = resolveDrawing(options, like);
  const { out, n, index, scale } = drawing;
  const files = outputFiles(out, index === null ? n : 1);
  const { from, mask } = options;
  await refuseSources([out, ...files], { '--from': from, '--mask': mask, '--like': options.like });
  for (const file of [out, ...files]) await checkWritableFile(file);
  const check =
    like && ((hashes: DrawnBy['model'], path: string) => checkModel(options.like!, like.model, path, hashes));
  const uses = { draws: true, follows: drawing.prompt.trim() !== '' };
  await withHashedSampler({ ...options, uses, check }, terminal, async (sampler, by) => {
    const sizes = drawing.size ? [drawing.size] : imageSizes(sampler.config.image);
    const source = await readSource(options, sizes);
    const wanted = settingsOf(sampler, drawing, source, by);
    const differences = like ? compareSources(options.like!, like, source.files) : [];
    if (like && like.backend !== by.backend) differences.push(otherBackend(options.like!, like, wanted, drawing.size));
    for (const difference of differences) terminal.log(difference);
    const drawn = await drawAll(sampler, drawing, source, terminal);
    const { width, height } = drawn[0];
    const settings = { ...wanted, size: { width, height } };
    const write = async (path: string, image: RgbImage, which: number | null) =>
      writeOutputFile(path, encodeDrawing(image, { ...settings, index: which }));
    const single = (image: RgbImage) => imageGrid([image], { columns: 1, scale, gap: 0 });
    if (files.length === 0) await write(out, single(drawn[0]), index);
    else {
      await write(out, imageGrid(drawn, { columns: Math.ceil(Math.sqrt(n)), scale }), null);
      for (const [i, file] of files.entries()) await write(file, single(drawn[i]), i);
    }
  });
  for (const file of [out, ...files]) terminal.out(file);
}

/** @throws TransfusionError GENERATE_OPTIONS: what must be said is not */
function resolveDrawing(options: GenerateCommandOptions, like: GenerateSettings | undefined): Drawing {
  const prompt = options.prompt ?? like?.prompt;
  if (prompt === undefined) {
    throw new TransfusionError({
      code: 'GENERATE_OPTIONS',
      message: 'generate needs --prompt',
      fix: 'give --prompt TEXT, or --like FILE.png to draw a picture again',
    });
  }
  const out = options.out ?? (options.like === undefined ? namedAfter(prompt) : besideLike(options.like));
  // Another number of images is another run: they are counted from 0 again.
  const { n, index } = options.n === undefined && like ? like : one(options.n ?? 1);
  return {
    ...{ prompt, out, n, index },
    maxBatch: like?.maxBatch ?? MAX_BATCH,
    seed: options.seed ?? like?.seed ?? 0,
    scale: options.scale ?? like?.scale ?? 1,
    size: options.size ?? like?.size,
    image: like ? mergedImageOptions(withoutSource(like, options), options.image) : options.image,
  };
}

/** A file has all images of a run, or the only one. */
function one(n: number): { n: number; index: number | null } {
  return { n, index: n === 1 ? 0 : null };
}

/** A strength is of no use to a drawing that starts from noise, though the file's started from a picture. */
function withoutSource({ image, from }: GenerateSettings, options: GenerateCommandOptions): ImageOptions {
  const { strength, ...others } = image;
  return from && options.from !== undefined ? { ...others, strength } : others;
}

/** Those of the run, or the one of it that is wanted: with the batch that it was drawn in, on which rounding depends. */
async function drawAll(
  sampler: Sampler,
  { prompt, n, index, maxBatch, seed, image, size }: Drawing,
  { images: source }: SourceFiles,
  { signal }: Terminal,
): Promise<RgbImage[]> {
  const batches = drawingBatches(n, maxBatch);
  const batch = index === null ? undefined : batches.find(({ end }) => index < end)!;
  const [firstIndex, count] = batch ? [batch.begin, batches[0].end] : [0, n];
  let progress: Progress | undefined;
  const onStep = ({ step, steps }: { step: number; steps: number }) => {
    progress ??= createProgress({ label: 'drawing', total: steps });
    progress.update(step);
  };
  try {
    const prompts = new Array<string>(count).fill(prompt);
    const options = { ...image, ...source, size, prompts, seed, firstIndex, maxBatch, signal, onStep };
    const images = await sampler.drawImages(options);
    return index === null ? images : [images[index - firstIndex]];
  } finally {
    progress?.stop();
  }
}

function settingsOf(
  sampler: Sampler,
  drawing: Drawing,
  source: SourceFiles,
  by: DrawnBy,
): Omit<GenerateSettings, 'size'> {
  const { prompt, n, index, maxBatch, seed, scale, image } = drawing;
  const kind = source.images.from && (source.images.mask ? 'masked' : 'whole');
  return {
    command: 'generate',
    ...{ version: 1, software: SOFTWARE, ...by, seed, prompt, n, index, maxBatch, scale },
    image: completeImageSampling(sampler.config, image, kind),
    ...source.files,
  };
}

function otherBackend(
  like: string,
  before: GenerateSettings,
  now: Omit<GenerateSettings, 'size'>,
  size: ImageSize | undefined,
): string {
  const changed = changedOptions(before, { ...now, size: size ?? before.size });
  const same =
    changed.length === 0
      ? 'it is the same but for rounding'
      : `it is another picture, as ${changed.join(', ')} ${changed.length === 1 ? 'is' : 'are'} not as then`;
  return `${like} was drawn on ${before.backend}; on ${now.backend} ${same}`;
}

/** Of more than one image: the files of the single ones, beside the grid. */
function outputFiles(out: string, n: number): string[] {
  const { dir, name, ext } = parse(out);
  checkPng(out);
  if (n === 1) return [];
  const digits = String(n).length;
  const beside = dir === '' ? '' : `${dir}/`;
  return Array.from({ length: n }, (_, i) => `${beside}${name}-${String(i + 1).padStart(digits, '0')}${ext}`);
}
