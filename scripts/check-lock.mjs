/**
 * @file Checks that package-lock.json holds the binaries of every platform, and adds those that are missing.
 *
 * npm leaves an optional package out of the lock file when it cannot load it at that moment (npm/cli#4828); `npm ci`
 * then refuses the lock file, everywhere. An entry needs no more than a version and the platforms it is for: the
 * version is pinned by the package that asks for it, the platforms are in the name.
 *
 * Usage: node scripts/check-lock.mjs [--write]
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const lockFile = join(fileURLToPath(new URL('..', import.meta.url)), 'package-lock.json');
const operatingSystems = new Map(
  ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'].map((os) => [
    os,
    os,
  ]),
).set('windows', 'win32');
const processors = new Map(
  ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64'].map((cpu) => [cpu, cpu]),
).set('64', 'x64');

const lock = JSON.parse(readFileSync(lockFile, 'utf8'));
const missing = missingEntries(lock.packages);

if (missing.size === 0) {
  console.log(`package-lock.json holds every optional package`);
} else if (process.argv.includes('--write')) {
  const packages = Object.entries({ ...lock.packages, ...Object.fromEntries(missing) });
  lock.packages = Object.fromEntries(packages.sort(([a], [b]) => a.localeCompare(b, 'en')));
  writeFileSync(lockFile, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`package-lock.json: added ${missing.size} optional packages; run npm ci to check it`);
} else {
  console.error(`package-lock.json lacks ${missing.size} optional packages, so npm ci refuses it:`);
  for (const path of missing.keys()) console.error(`  ${path}`);
  console.error('fix: node scripts/check-lock.mjs --write');
  process.exitCode = 1;
}

/** Entries to add, by path in the lock file. */
function missingEntries(packages) {
  const entries = new Map();
  for (const [parentPath, parent] of Object.entries(packages)) {
    const optional = Object.entries(parent.optionalDependencies ?? {});
    const sibling = optional.map(([name]) => resolve(packages, parentPath, name)).find((path) => path !== undefined);
    for (const [name, version] of optional) {
      if (resolve(packages, parentPath, name) !== undefined) continue;
      entries.set(`node_modules/${name}`, entryFor(name, version, packages[sibling], parent));
    }
  }
  return entries;
}

/** Where Node would find `name` from the package at `from`, as a path in the lock file. */
function resolve(packages, from, name) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/')))) {
    const path = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (packages[path]) return path;
    if (folder === '') return undefined;
  }
}

function entryFor(name, version, sibling, parent) {
  if (!/^\d+\.\d+\.\d+/.test(version)) throw new Error(`${name}@${version} is not pinned: add it with npm install`);
  const words = name.split('/').at(-1).split('-');
  const os = words.map((word) => operatingSystems.get(word)).find(Boolean);
  const cpu = words.map((word) => processors.get(word)).findLast(Boolean);
  if (!os || !cpu) throw new Error(`${name}: cannot tell the platform from the name: add it with npm install`);
  const musl = words.some((word) => word.startsWith('musl'));
  const glibc = words.some((word) => word.startsWith('gnu'));
  return {
    version,
    cpu: [cpu],
    ...((sibling ?? parent).dev && { dev: true }),
    ...(os === 'linux' && (musl || glibc) && { libc: [musl ? 'musl' : 'glibc'] }),
    ...((sibling ?? parent).license && { license: (sibling ?? parent).license }),
    optional: true,
    os: [os],
    ...(sibling?.engines && { engines: sibling.engines }),
  };
}
