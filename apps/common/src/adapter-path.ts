/** @file A LoRA on the command line: its folder, and how much of it. */
import { InvalidArgumentError } from 'commander';

/** A LoRA's folder, and what it is multiplied with. */
export interface AdapterChoice {
  path: string;
  /** Default 1. */
  strength?: number;
}

/** Parses `FOLDER` or `FOLDER:SCALE`, once more: a parser of options that may be repeated. */
export function adapterPath(text: string, previous: AdapterChoice[] = []): AdapterChoice[] {
  const [, folder, scale] = /^(.*):([^:/\\]*)$/.exec(text) ?? [undefined, text, undefined];
  const strength = scale === undefined ? undefined : Number(scale);
  if (folder === '' || scale === '' || (strength !== undefined && !Number.isFinite(strength))) {
    throw new InvalidArgumentError('give FOLDER or FOLDER:SCALE, such as runs/style/model:0.8');
  }
  return [...previous, { path: folder, ...(strength === undefined ? {} : { strength }) }];
}
