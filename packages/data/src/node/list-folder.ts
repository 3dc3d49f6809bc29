/** @file The files of a folder and its subfolders, none of them outside of it. */
import type { Dirent, Stats } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import { reason } from '@transfusion/core';
import { readInput } from './read-input.js';

export interface ListedFile {
  /** Relative to the folder, with `/` on all systems. */
  name: string;
  path: string;
  /** The name of the file that a link leads to; else as `name`. */
  target: string;
  /** Bytes. */
  size: number;
  mtimeMs: number;
  /** Why the file must not be opened. */
  problem?: string;
  /** It is a link to a folder, which was not followed. */
  isFolder?: boolean;
}

/**
 * Lists a folder with its subfolders, sorted by name. Hidden files and folders are left out; a link that leads nowhere, out of the
 * folder, or to a folder, is listed with that as its problem.
 *
 * @throws TransfusionError DATA_UNREADABLE
 */
export async function listFolder(folder: string): Promise<ListedFile[]> {
  const root = await readInput('folder', folder, () => realpath(folder));
  const files: ListedFile[] = [];
  const folders = [''];
  for (let name = folders.pop(); name !== undefined; name = folders.pop()) {
    const path = join(folder, name);
    const entries = (await readInput('folder', path, () => readdir(path, { withFileTypes: true }))).filter(
      (entry) => !entry.name.startsWith('.'),
    );
    const named = entries.map((entry) => ({ entry, name: name === '' ? entry.name : `${name}/${entry.name}` }));
    folders.push(...named.filter(({ entry }) => entry.isDirectory()).map((each) => each.name));
    const listed = await Promise.all(named.map((each) => describeFile(folder, root, each)));
    for (const file of listed) if (file) files.push(file);
  }
  return files.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function describeFile(
  folder: string,
  root: string,
  { entry, name }: { entry: Dirent; name: string },
): Promise<ListedFile | undefined> {
  const path = join(folder, name);
  const nothing = { name, path, target: name, size: 0, mtimeMs: 0 };
  if (entry.isDirectory()) return undefined;
  let found: Stats;
  let target = name;
  try {
    if (entry.isSymbolicLink()) {
      const inside = relative(root, await realpath(path));
      if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
        return { ...nothing, problem: 'it is a link that leaves the folder' };
      }
      target = inside.split(sep).join('/');
    }
    found = await stat(path);
  } catch (error) {
    return { ...nothing, problem: reason(error) };
  }
  if (found.isFile()) return { ...nothing, target, size: found.size, mtimeMs: found.mtimeMs };
  const isFolder = found.isDirectory();
  return {
    ...nothing,
    isFolder,
    problem: isFolder ? 'it is a link to a folder, which is not followed' : 'it is no file',
  };
}
