/** @file The command that draws a picture of `edit` or `continue` again, as its file tells. */
import { parse } from 'node:path';
import { imageFlags, shellQuoted } from '@transfusion/app-common';
import { formatImageSize } from '@transfusion/data';
import type { DrawingSettings } from '@transfusion/sampler';

type Settings<Command> = DrawingSettings & { command: Command };

/** Of `edit`. The folders of the model and of what was edited are not in the file: MODEL, and the picture's name alone. */
export function editAgain(settings: Settings<'edit'>, out: string): string {
  const { edited, prompt, scale } = settings;
  const given = ['--image', shellQuoted(edited.name), '--prompt', shellQuoted(prompt), '--scale', scale];
  return ['sampler edit', ...modelFlags(settings), ...given, ...drawingFlags(settings), '--out', shellQuoted(out)].join(
    ' ',
  );
}

/** Of `continue`, for the first image that it drew: what stood before it, and the image at once. */
export function continueAgain(settings: Settings<'continue'>, path: string): string {
  const { parts, size } = settings;
  const given = parts.flatMap((part) =>
    'text' in part ? ['--text', shellQuoted(part.text)] : ['--image', shellQuoted(part.image.name)],
  );
  const forced = ['--draw', '--max-tokens 0', '--size', formatImageSize(size)];
  return continueCommand(settings, path, [...given, ...forced]);
}

/** Of `continue`, for a later image: its noise is counted from the start of the run, and so must be all of it. */
export function runAgain(settings: Settings<'continue'>, path: string): string {
  return continueCommand(settings, path, ['DOCUMENT']);
}

function continueCommand(settings: Settings<'continue'>, path: string, given: string[]): string {
  const { dir, name } = parse(path);
  const out = `${dir === '' ? '' : `${dir}/`}${name}-again`;
  const flags = [...modelFlags(settings), ...given, ...drawingFlags(settings)];
  return ['sampler continue', ...flags, '--out', shellQuoted(out)].join(' ');
}

function modelFlags({ model: { adapters = [] } }: DrawingSettings): string[] {
  const loras = adapters.flatMap(({ strength }) => ['--lora', strength === 1 ? 'LORA' : `LORA:${strength}`]);
  return ['--model MODEL', ...loras];
}

function drawingFlags({ seed, image }: DrawingSettings): (string | number)[] {
  return ['--seed', seed, ...imageFlags(image)];
}

/** What the file knows by its hash alone. */
export function modelNeeded({ model: { weights, adapters = [] } }: DrawingSettings): string {
  const short = (hash: string) => `${hash.slice(0, 12)}...`;
  const model = `MODEL is the one that drew it (SHA-256 of its weights ${short(weights)})`;
  if (adapters.length === 0) return model;
  const loras = adapters.map(({ sha256 }) => short(sha256)).join(', ');
  return `${model}, LORA ${adapters.length === 1 ? 'its LoRA' : 'each of its LoRAs, in this order'} (${loras})`;
}
