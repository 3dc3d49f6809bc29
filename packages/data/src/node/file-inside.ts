/** @file A file named by somebody else, inside a folder and nowhere else. */
import { readdir, realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import { reason } from '@transfusion/core';
import { NO_PICTURE } from '../too-many-broken.js';
import type { ListedFile } from './list-folder.js';
import { nearNames } from './near-name.js';

/**
 * The file called `name`, relative to `folder`, with `/`. Where it, or what a link leads to, is outside of the folder, is no file or
 * does not exist, it has that as its problem.
 *
 * @param root the folder's real path
 */
export async function fileInside(folder: string, root: string, name: string): Promise<ListedFile> {
  const path = join(folder, name);
  const nothing = { name, path, target: name, size: 0, mtimeMs: 0 };
  try {
    const inside = relative(root, await realpath(path));
    if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
      return { ...nothing, problem: 'it leaves the folder of the file of documents' };
    }
    const found = await stat(path);
    if (!found.isFile()) return { ...nothing, problem: found.isDirectory() ? 'it is a folder' : 'it is no file' };
    return { ...nothing, target: inside.split(sep).join('/'), size: found.size, mtimeMs: found.mtimeMs };
  } catch (error) {
    const isMissing = ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
    return { ...nothing, problem: isMissing ? await whyMissing(name, path) : reason(error) };
  }
}

async function whyMissing(name: string, path: string): Promise<string> {
  const beside = await readdir(dirname(path)).catch(() => []);
  const near = nearNames(beside)(name);
  return near === undefined ? NO_PICTURE : `${NO_PICTURE}; ${near} is there`;
}
