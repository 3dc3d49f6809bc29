/** @file Options of images as the command line spells them: in commands that are told, and in errors. */

import { TransfusionError } from '@transfusion/core';
import { type DrawingSettings, imageSamplingSchema } from '@transfusion/sampler';
import { shellQuoted } from './shell-quoted.js';

type Settings = DrawingSettings['image'];

const FLAGS: Record<keyof Settings, string> = {
  steps: '--steps',
  guidance: '--guidance',
  negativePrompt: '--negative-prompt',
  guidanceInterval: '--guidance-interval',
  guidanceRescale: '--guidance-rescale',
  guidanceRenorm: '--guidance-renorm',
  scheduler: '--scheduler',
  spacing: '--spacing',
  eta: '--eta',
  shift: '--shift',
  strength: '--strength',
  temperature: '--image-temperature',
  topK: '--image-top-k',
  topP: '--image-top-p',
  minP: '--image-min-p',
};

/** As in `--guidance`. */
export function imageFlag(name: keyof Settings): string {
  return FLAGS[name];
}

/** The flags and values that say the same, ready for a shell. */
export function imageFlags(image: Settings): string[] {
  const names = Object.keys(imageSamplingSchema.shape) as (keyof Settings)[];
  return names.flatMap((name) => (image[name] === undefined ? [] : [FLAGS[name], shellQuoted(String(image[name]))]));
}

/** An error of the library about options of images, in flags; any other as it is. Rejects as `done` does. */
export async function inFlags<Result>(done: Promise<Result>): Promise<Result> {
  try {
    return await done;
  } catch (error) {
    if (!TransfusionError.isInstance(error) || error.code !== 'SAMPLER_OPTIONS') throw error;
    const [, message] = /^SAMPLER_OPTIONS: (.*?)(?:\n {2}fix: .*)?$/s.exec(error.message)!;
    throw new TransfusionError({
      code: error.code,
      message: withFlags(message),
      fix: error.fix && withFlags(error.fix),
      cause: error,
    });
  }
}

/** `image.topK`, and `topK` where the problems of `image` are listed, as `--image-top-k`. */
function withFlags(text: string): string {
  const flags: Record<string, string> = { ...FLAGS, from: '--from', mask: '--mask' };
  const named = text.replace(/\bimage\.(\w+)/g, (all, name: string) => flags[name] ?? all);
  if (!text.startsWith('image has ')) return named;
  return named.replace(/^ {2}(\w+)(?=[.:])/gm, (all, name: string) => (flags[name] ? `  ${flags[name]}` : all));
}
