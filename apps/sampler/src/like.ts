/** @file `--like`: what a picture's file says about how it was drawn, in place of what the command line leaves out. */

import { readFile } from 'node:fs/promises';
import { format, parse } from 'node:path';
import { imageFlag } from '@transfusion/app-common';
import { isSameSize } from '@transfusion/data';
import { type DrawingSettings, type ImageSamplingOptions, type ModelHashes, readDrawing } from '@transfusion/sampler';
import { TransfusionError } from '@transfusion/tensor';
import type { SourceFiles } from './source-files.js';
import { continueAgain, editAgain, modelNeeded, runAgain } from './told-command.js';

export type GenerateSettings = DrawingSettings & { command: 'generate' };
export type ImageOptions = ImageSamplingOptions & { strength?: number };

/** @throws TransfusionError IMAGE_UNREADABLE, DRAWING_SETTINGS */
export async function readLike(path: string): Promise<GenerateSettings> {
  const settings = readDrawing(await readBytes(path), path);
  if (settings.command === 'generate') return settings;
  if (settings.command === 'edit') {
    throw new TransfusionError({
      code: 'DRAWING_SETTINGS',
      message: `${path} is what \`sampler edit\` made of ${settings.edited.name}`,
      fix: `edit that picture again: ${editAgain(settings, besideLike(path))}\n  ${modelNeeded(settings)}`,
    });
  }
  const again =
    settings.index === 0
      ? `give what stood before it: ${continueAgain(settings, path)}`
      : `repeat the run, with the DOCUMENT, --draw, --size and options of text that it was given: ${runAgain(settings, path)}`;
  throw new TransfusionError({
    code: 'DRAWING_SETTINGS',
    message: `${path} is image ${settings.index + 1} of a document that \`sampler continue\` wrote: it depends on what stands before it`,
    fix: `${again}\n  ${modelNeeded(settings)}`,
  });
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new TransfusionError({
      code: 'IMAGE_UNREADABLE',
      fix: isMissing ? 'correct the path' : 'give a PNG file that `sampler generate` wrote',
      message: `--like ${path}: ${isMissing ? 'it does not exist' : (error as Error).message}`,
      cause: error,
    });
  }
}

/** Where a picture that is drawn again goes, unless --out says it: beside the first, `heart-again.png`. */
export function besideLike(path: string): string {
  const { dir, name } = parse(path);
  return format({ dir, name: `${name}-again`, ext: '.png' });
}

/**
 * What the file says, but for what was given. What does nothing beside what was given is left out: the options of another
 * scheduler, those of guidance without it.
 */
export function mergedImageOptions(like: ImageOptions, given: ImageOptions): ImageOptions {
  const { spacing, eta, shift, ...others } = like;
  const isSameScheduler = given.scheduler === undefined || given.scheduler === like.scheduler;
  const kept = isSameScheduler ? like : others;
  const chosen = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const dropped = [
    ...(given.guidance === 1 ? GUIDANCE : []),
    ...(given.guidanceRenorm !== undefined ? ['guidanceRescale'] : []),
    ...(given.guidanceRescale !== undefined ? ['guidanceRenorm'] : []),
  ];
  return { ...Object.fromEntries(Object.entries(kept).filter(([name]) => !dropped.includes(name))), ...chosen };
}

const GUIDANCE = ['negativePrompt', 'guidanceInterval', 'guidanceRescale', 'guidanceRenorm'];

/** @throws TransfusionError DRAWING_MODEL, naming the parts of the model that are not those that the picture was drawn by */
export function checkModel(like: string, drawnBy: ModelHashes, model: string, hashes: ModelHashes): void {
  const files = { config: 'config.json', tokenizer: 'tokenizer.json', weights: 'model.safetensors', vae: 'vae/' };
  const names = Object.keys(files) as (keyof typeof files)[];
  const other = names.filter((name) => drawnBy[name] !== hashes[name]);
  if (other.length === 0) {
    checkAdapters(like, drawnBy, hashes);
    return;
  }
  const short = (hash: string | undefined) => hash?.slice(0, 12) ?? 'none';
  const told = other.map((name) => `${files[name]} is ${short(hashes[name])}, was ${short(drawnBy[name])}`);
  throw new TransfusionError({
    code: 'DRAWING_MODEL',
    message: `${like} was drawn by another model than ${model}: ${told.join('; ')} (SHA-256)`,
    fix: 'give --model with the model that drew it; for another model, repeat the prompt and the options without --like',
  });
}

/** @throws TransfusionError DRAWING_MODEL */
function checkAdapters(like: string, drawnBy: ModelHashes, hashes: ModelHashes): void {
  const told = ({ adapters = [] }: ModelHashes) =>
    adapters.map(({ sha256, strength }) => `${sha256.slice(0, 12)} (strength ${strength})`).join(', ') || 'none';
  const [before, now] = [told(drawnBy), told(hashes)];
  if (before === now) return;
  throw new TransfusionError({
    code: 'DRAWING_MODEL',
    message: `${like} was drawn with other LoRAs: ${before}; given are ${now} (SHA-256 of their files)`,
    fix: 'give the same folders and strengths with --lora, in the same order',
  });
}

/**
 * Pictures that are made from others need these again.
 *
 * @returns what is not as it was, in sentences
 * @throws TransfusionError DRAWING_SOURCE: a file is missing
 */
export function compareSources(like: string, settings: GenerateSettings, files: SourceFiles['files']): string[] {
  return (['from', 'mask'] as const).flatMap((option) => {
    const [before, now] = [settings[option], files[option]];
    if (before?.sha256 === now?.sha256) return [];
    if (before && !now) {
      throw new TransfusionError({
        code: 'DRAWING_SOURCE',
        message: `${like} was drawn with --${option} ${before.name}, which the file does not hold`,
        fix: `give that picture again with --${option} (its SHA-256 is ${before.sha256.slice(0, 12)}...)`,
      });
    }
    const what = before ? `is not the ${before.name} that it was drawn with` : 'was not there before';
    return [`--${option} ${now!.name} ${what}: it will be another picture than ${like}`];
  });
}

/** The options that are not as they were. */
export function changedOptions(before: GenerateSettings, now: GenerateSettings): string[] {
  const differs = (one: unknown, other: unknown) => JSON.stringify(one) !== JSON.stringify(other);
  const image = Object.keys({ ...before.image, ...now.image }) as (keyof GenerateSettings['image'])[];
  return [
    ...(['prompt', 'seed', 'scale'] as const).filter((name) => differs(before[name], now[name])),
    ...(isSameSize(before.size, now.size) ? [] : ['size']),
    ...(before.n !== now.n || before.index !== now.index ? ['n'] : []),
    ...(['from', 'mask'] as const).filter((name) => before[name]?.sha256 !== now[name]?.sha256),
  ]
    .map((name) => `--${name}`)
    .concat(image.filter((name) => differs(before.image[name], now.image[name])).map(imageFlag));
}
