/** @file A folder with what one `npm install` of it would bring, and nothing else: of an installation of everything. */
import { copyFileSync, existsSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Gives `folder` a node_modules with packages and what these declare, with the files of that of `from`. So whatever else is
 * installed there cannot be found. Of workspaces only what is published is taken.
 *
 * @param {{ from: string, folder: string, names: readonly string[], without?: readonly string[] }} options `names`: what is
 *   installed by its name; `without`: what is left out, though it is declared
 * @returns {string[]} all that is in the new node_modules
 * @throws {Error} when a package is not in `from`, or declares one that is not
 */
export function installAlone({ from, folder, names, without = [] }) {
  const all = new Set();
  const waiting = names.map((name) => ({ name, by: 'what is asked for' }));
  for (const { name, by } of waiting) {
    if (all.has(name) || without.includes(name)) continue;
    all.add(name);
    const source = join(from, 'node_modules', name);
    if (!existsSync(source)) throw new Error(`${name}, which ${by} needs, is not installed in ${from}`);
    for (const inside of publishedIn(source)) take(join(source, inside), join(folder, 'node_modules', name, inside));
    waiting.push(...declaredBelow(source).map((each) => ({ name: each, by: name })));
  }
  return [...all].sort();
}

/** Of a workspace, which npm links, the files that its manifest lists. */
function publishedIn(source) {
  if (!lstatSync(source).isSymbolicLink()) return ['.'];
  const { files } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'));
  return ['package.json', ...files].filter((name) => existsSync(join(source, name)));
}

/** What a package and those in its own node_modules declare, and do not have there. */
function declaredBelow(path) {
  const {
    dependencies = {},
    optionalDependencies = {},
    peerDependencies = {},
    peerDependenciesMeta = {},
  } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
  const peers = Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional);
  const own = join(path, 'node_modules');
  const nested = existsSync(own) ? packagesIn(own) : [];
  // npm leaves out the optional ones that are for another platform.
  const platform = Object.keys(optionalDependencies).filter((name) => existsSync(join(dirnameOfModules(path), name)));
  const declared = [
    ...Object.keys(dependencies).filter((name) => !(name in optionalDependencies)),
    ...platform,
    ...peers,
  ];
  const outside = declared.filter((name) => !nested.includes(name));
  return [
    ...outside,
    ...nested.flatMap((name) => declaredBelow(join(own, name)).filter((each) => !nested.includes(each))),
  ];
}

function dirnameOfModules(path) {
  const at = path.lastIndexOf('node_modules');
  return path.slice(0, at + 'node_modules'.length);
}

function packagesIn(modules) {
  return readdirSync(modules)
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) =>
      name.startsWith('@') ? readdirSync(join(modules, name)).map((each) => `${name}/${each}`) : [name],
    );
}

/** Hard links take no room; between disks there are none. */
function take(from, to) {
  if (statSync(from).isDirectory()) {
    for (const name of readdirSync(from)) take(join(from, name), join(to, name));
    return;
  }
  mkdirSync(dirname(to), { recursive: true });
  try {
    linkSync(from, to);
  } catch (error) {
    if (error.code !== 'EXDEV') throw error;
    copyFileSync(from, to);
  }
}
