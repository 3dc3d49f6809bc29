/** @file The files that images are written to. */
import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { parse } from 'node:path';
import { TransfusionError } from '@transfusion/tensor';

/** @throws TransfusionError OUTPUT_FORMAT: it is no PNG file, by its name */
export function checkPng(out: string): void {
  if (parse(out).ext.toLowerCase() === '.png') return;
  throw new TransfusionError({
    code: 'OUTPUT_FORMAT',
    message: `--out ${out}: images are written as PNG`,
    fix: `use --out ${out.replace(/\.[^./\\]*$/, '')}.png`,
  });
}

const LONGEST_NAME = 60;

/** A file named after what it shows, "red heart, 3d style" as `red-heart-3d-style.png`; one that is there is kept, by `.2` and so on. */
export function namedAfter(prompt: string): string {
  const words = prompt.toLowerCase().match(/[\p{Letter}\p{Number}]+/gu) ?? ['image'];
  const name = [...words.join('-')].slice(0, LONGEST_NAME).join('');
  let file = `${name}.png`;
  for (let number = 2; existsSync(file); number++) file = `${name}.${number}.png`;
  return file;
}

/**
 * What is read is not written over.
 * @param sources the options that name them
 * @throws TransfusionError OUTPUT_IS_SOURCE
 */
export async function refuseSources(
  outs: readonly string[],
  sources: Record<string, string | undefined>,
): Promise<void> {
  const real = (path: string) => realpath(path).catch(() => undefined);
  const written = await Promise.all(outs.map(async (path) => ({ path, real: await real(path) })));
  for (const [option, source] of Object.entries(sources)) {
    const target = source === undefined ? undefined : await real(source);
    const same = target === undefined ? undefined : written.find((each) => each.real === target);
    if (!same) continue;
    throw new TransfusionError({
      code: 'OUTPUT_IS_SOURCE',
      message: `${same.path} would be written over ${option} ${source}, which it is made from`,
      fix: 'write elsewhere with --out',
    });
  }
}
