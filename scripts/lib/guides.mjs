/** @file The guides of `docs/guides`, and the code in them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './repository.mjs';

export const guidesFolder = join(root, 'docs/guides');

/** Names of the guides, without the list of them. */
export function guideNames() {
  return readdirSync(guidesFolder).filter((name) => name.endsWith('.md') && name !== 'README.md');
}

/**
 * The code of a guide, block after block: one program.
 *
 * @param {string} name
 * @param {string} mark what stands behind the backticks: `ts`, `ts page` for what runs in a browser
 */
export function guideCode(name, mark) {
  const text = readFileSync(join(guidesFolder, name), 'utf8');
  return [...text.matchAll(/^```(.*)\r?\n([\s\S]*?)^```/gm)]
    .filter(([, language]) => language === mark)
    .map(([, , code]) => code)
    .join('\n');
}
