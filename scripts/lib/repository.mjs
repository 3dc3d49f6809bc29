/** @file Where things are: the root, the workspaces, the source files. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

const notSource = new Set([
  'node_modules',
  'dist',
  'build',
  'generated',
  'fixtures',
  'coverage',
  'runs',
  '.turbo',
  '.cache',
]);

/**
 * Every workspace that has a package.json.
 *
 * @returns {{ folder: string, path: string, manifest: Record<string, any> }[]} `folder` is relative to the root, with
 *   forward slashes.
 */
export function workspaces() {
  const folders = ['packages', 'apps'].flatMap((group) => {
    const path = join(root, group);
    return existsSync(path) ? readdirSync(path).map((name) => `${group}/${name}`) : [];
  });
  return [...folders.sort(), 'bench']
    .map((folder) => ({ folder, path: join(root, folder) }))
    .filter(({ path }) => existsSync(join(path, 'package.json')))
    .map((place) => ({ ...place, manifest: JSON.parse(readFileSync(join(place.path, 'package.json'), 'utf8')) }));
}

/** The workspaces that are published. */
export function publishedPackages() {
  return workspaces().filter(({ manifest }) => !manifest.private);
}

/** Files below a folder, relative to the root with forward slashes, without what is built, installed or recorded. */
export function filesBelow(folder) {
  const path = join(root, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const inside = join(path, entry.name);
      if (entry.isDirectory()) return notSource.has(entry.name) ? [] : filesBelow(relative(root, inside));
      return [relative(root, inside).split(sep).join('/')];
    });
}
