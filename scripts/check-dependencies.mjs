/**
 * @file The walls of the house: a package imports only packages below it, declares what it imports, uses what it
 * declares, needs Node only in `src/node`, has no circular imports, be they of types, and no file over 500 lines.
 */
import { readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, sep } from 'node:path';
import { parseCircular, parseDependencyTree } from 'dpdm';
import ts from 'typescript';
import { filesBelow, root, workspaces } from './lib/repository.mjs';

const scope = '@transfusion/';
const longestFile = 500;

// docs/architecture.md draws this. Each layer may import the layers before it; backends know only core and tensor.
const backends = ['wasm', 'webgpu'];
const layers = [
  ['core'],
  ['tensor', 'distributed'],
  ['nn'],
  ['transformer', 'vae', 'tokenizer', 'losses', 'schedulers', 'data', 'checkpoint'],
  ['sampler', 'hub'],
  ['training'],
  ['evaluation'],
];
// Beside `src/node`: an entry of its own that is for Node, and a file that asks for Node's modules where there are any.
const alsoOfNode = ['packages/tokenizer/src/train/', 'packages/wasm/src/platform.ts'];
const sharedByApps = 'app-common';
// Models that are packages: apps may open them, and no package knows them.
const models = ['emoji-64'];
const builtins = new Set(builtinModules);
const all = workspaces();
// An app installs what its packages need of it (their peers), without importing it.
const workspacePeers = new Set(all.flatMap(({ manifest }) => Object.keys(manifest.peerDependencies ?? {})));
const problems = [
  ...all.flatMap(checkImports),
  ...all.flatMap(checkPortable),
  ...checkLengths(),
  ...(await checkCircles()),
];

for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`Checked the imports of ${all.length} workspaces.`);

function checkImports({ folder, manifest }) {
  const name = manifest.name.slice(scope.length);
  // Nobody installs a private workspace, so what it imports may stand among its development dependencies.
  const development = manifest.private ? manifest.devDependencies : {};
  const declared = new Set(Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies, ...development }));
  const below = folder.startsWith('packages/')
    ? packagesBelow(name)
    : [...layers.flat(), ...backends, ...models, sharedByApps];
  if (!below) return [`${folder}: has no place in the layers: add it to scripts/check-dependencies.mjs`];

  const sources = filesBelow(`${folder}/src`).filter(isCode);
  const direction = sources.flatMap((file) => {
    // A test needs something to run on, so tests may import the backends; jest resolves them to their sources.
    const allowed = isTest(file) ? [...below, ...backends, name] : below;
    return workspaceImports(file)
      .filter((imported) => !allowed.includes(imported))
      .map((imported) => `${file}: imports ${scope}${imported}, which is not below ${manifest.name}`);
  });

  const runtime = sources.filter((file) => !isTest(file));
  const imported = new Set(runtime.flatMap(importedPackages));
  const mentioned = runtime.map(read).join('\n');
  const undeclared = [...imported]
    .filter((dependency) => dependency !== manifest.name && !declared.has(dependency))
    .map((dependency) => `${folder}/package.json: ${dependency} is imported but not in dependencies`);
  const unused = Object.keys(manifest.dependencies ?? {})
    .filter((dependency) =>
      dependency.startsWith(scope) ? !imported.has(dependency) : !mentioned.includes(dependency),
    )
    .filter((dependency) => !workspacePeers.has(dependency))
    .map((dependency) => `${folder}/package.json: ${dependency} is in dependencies but nothing imports it`);
  return [...direction, ...undeclared, ...unused];
}

/** Browsers load every package's own entry: only what is in `src/node`, and tests, may need Node. */
function checkPortable({ folder }) {
  if (!folder.startsWith('packages/')) return [];
  const ofNode = [`${folder}/src/node/`, ...alsoOfNode];
  return filesBelow(`${folder}/src`)
    .filter((file) => isCode(file) && !isTest(file) && !ofNode.some((start) => file.startsWith(start)))
    .flatMap((file) =>
      importsOf(file)
        .filter((request) => isBuiltin(request) || isOfNode(request) || isOfNode(join(dirname(file), request)))
        .map((request) => `${file}: imports ${request}, which browsers have not: only files in ${ofNode[0]} may`),
    );
}

/** Whether it is, or is below, what a package has for Node alone. */
function isOfNode(path) {
  return /^(@transfusion|packages)\/[^/]+(\/src)?\/node(\/|$)/.test(path.split(sep).join('/'));
}

function isBuiltin(request) {
  return request.startsWith('node:') || builtins.has(request);
}

/** What a package may import, or undefined if it is in no layer. */
function packagesBelow(name) {
  if (backends.includes(name))
    return layers
      .slice(
        0,
        layers.findIndex((layer) => layer.includes('nn')),
      )
      .flat();
  if (models.includes(name)) return [];
  const level = layers.findIndex((layer) => layer.includes(name));
  return level < 0 ? undefined : layers.slice(0, level).flat();
}

function workspaceImports(file) {
  return importedPackages(file).flatMap((name) => (name.startsWith(scope) ? [name.slice(scope.length)] : []));
}

/** Names of the packages that a file imports, types included. */
function importedPackages(file) {
  return importsOf(file)
    .filter((request) => !request.startsWith('.') && !isBuiltin(request))
    .map((request) => request.split('/', request.startsWith('@') ? 2 : 1).join('/'));
}

/** All that a file imports, as it says. */
function importsOf(file) {
  return ts.preProcessFile(read(file)).importedFiles.map(({ fileName }) => fileName);
}

async function checkCircles() {
  const entries = all.flatMap(({ folder }) => filesBelow(`${folder}/src`).filter((file) => /\.m?ts$/.test(file)));
  // Without transform, imports of types only count too: what cannot be read apart is not apart.
  const tree = await parseDependencyTree(entries, { cwd: root, context: root, transform: false });
  return parseCircular(tree).map((circle) => `circular import: ${[...circle, circle[0]].join(' -> ')}`);
}

function checkLengths() {
  return ['packages', 'apps', 'bench', 'scripts', 'test']
    .flatMap((folder) => filesBelow(folder))
    .filter(isCode)
    .map((file) => ({ file, lines: read(file).trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > longestFile)
    .map(({ file, lines }) => `${file}: ${lines} lines; a file is one idea, and none has more than ${longestFile}`);
}

function read(file) {
  return readFileSync(join(root, file), 'utf8');
}

function isCode(file) {
  return /\.(m?[jt]s|c[jt]s|svelte|wgsl)$/.test(file);
}

function isTest(file) {
  return file.endsWith('.test.ts') || file.includes('/testing/');
}
