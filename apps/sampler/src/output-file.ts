/** @file The names of files that images are written to. */
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
