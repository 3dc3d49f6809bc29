/**
 * @file Installs the tarballs that would be published, and uses them as their users do, in folders outside the repository:
 *
 * 1. together: the types of every entry resolve, with `moduleResolution` node16 (from ESM and from CommonJS) and bundler,
 *    and each README's first example and the guides type-check;
 * 2. each alone, with nothing but what it declares: every entry can be imported and required, and its types name nothing
 *    that is not declared;
 * 3. what the first `npm install` line of its README names: there the README's first example runs, on the software WebGPU
 *    adapter where there is one.
 */
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { builtinModules, createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { installAlone } from './lib/alone.mjs';
import { guideCode, guideNames } from './lib/guides.mjs';
import { packAll } from './lib/pack.mjs';
import { ChildError, runNode, runNpm } from './lib/processes.mjs';
import { exampleOf, installsOf } from './lib/readme.mjs';
import { root } from './lib/repository.mjs';
import { stage } from './lib/stage.mjs';
import { setupOrExit } from './setup.mjs';

const require = createRequire(import.meta.url);
const { environment } = await setupOrExit({ types: true, webgpu: true });
const folder = mkdtempSync(join(realpathSync(tmpdir()), 'transfusion-pack-'));
// Node looks for packages in all folders above: what is alone may not stand below what is together.
const [together, alone] = [join(folder, 'together'), join(folder, 'alone')];
try {
  await check();
} catch (error) {
  console.error(error instanceof ChildError ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

async function check() {
  const packages = await stage('packing', () => packAll(folder));
  const entries = packages.flatMap(entriesOf);
  const examples = new Map(packages.map((each) => [each.name, exampleOf(each)]));
  await stage(`installing ${packages.length} tarballs in an empty folder`, () => install(packages));
  for (const resolution of ['node16', 'bundler']) {
    const what = `checking the types of ${entries.length} entries, the examples and the guides, moduleResolution ${resolution}`;
    await stage(what, () => checkTypes(resolution, entries, [...examples.values()]));
  }
  await stage('drawing pictures and making a model for the examples', makeModel);
  for (const each of packages) {
    await stage(`${each.name} alone: imported, required`, () => useAlone(each));
    await stage(`${each.name}: the example after npm install ${installsOf(each).join(' ')}`, () =>
      runExample(each, examples.get(each.name)),
    );
  }
}

function inFolder(cwd) {
  return { cwd, env: environment, timeoutSeconds: 300 };
}

/** What can be imported: `@transfusion/tensor`, `@transfusion/tensor/reference`. */
function entriesOf({ name, manifest }) {
  return Object.keys(manifest.exports)
    .filter((key) => !key.endsWith('.json') && !key.includes('*'))
    .map((key) => name + key.slice(1));
}

async function install(packages) {
  // A user's own project would have Node's and WebGPU's types.
  const types = ['@types/node', '@webgpu/types'].map((name) => `${name}@${require(`${name}/package.json`).version}`);
  // Optional peers are what a README tells its reader to install; the largest the repository does not install either.
  const peers = packages
    .flatMap(({ manifest }) => Object.entries(manifest.peerDependencies ?? {}))
    .filter(([name]) => existsSync(join(root, 'node_modules', name)));
  const extras = [...types, ...peers.map(([name, range]) => `${name}@${range}`)];
  startProject(together);
  const flags = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', '--save-exact'];
  await runNpm(['install', ...flags, ...packages.map(({ tarball }) => tarball), ...extras], { cwd: together });
}

function startProject(path) {
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'package.json'), JSON.stringify({ name: 'elsewhere', private: true, type: 'module' }));
}

async function checkTypes(resolution, entries, examples) {
  const uses = entries.map(
    (entry, i) => `import * as entry${i} from '${entry}';\nexport type Entry${i} = typeof entry${i};`,
  );
  write(together, 'entries.mts', uses);
  write(together, 'entries.cts', uses);
  for (const { file, code, language } of examples) {
    if (language === 'ts') write(together, `${file}.mts`, [code, 'export {};']);
  }
  for (const name of guideNames()) {
    const code = [guideCode(name, 'ts'), guideCode(name, 'ts page')];
    write(together, `guide-${name.replace('.md', '.mts')}`, [...code, 'export {};']);
  }
  const compilerOptions = {
    module: resolution === 'bundler' ? 'esnext' : resolution,
    moduleResolution: resolution,
    target: 'es2022',
    lib: ['ES2023', 'DOM', 'DOM.Iterable'],
    types: ['node', '@webgpu/types'],
    strict: true,
    // The second time their insides are known.
    skipLibCheck: resolution === 'bundler',
    noEmit: true,
  };
  // A bundler's input is ESM.
  const include = resolution === 'bundler' ? ['*.mts'] : ['*.mts', '*.cts'];
  write(together, 'tsconfig.json', [JSON.stringify({ compilerOptions, include })]);
  await runNode([require.resolve('typescript/bin/tsc'), '-p', together], { cwd: together });
}

/** In a folder where nothing is installed but the package and what it declares. */
async function useAlone(each) {
  const place = join(alone, each.folder);
  startProject(place);
  installAlone({ from: together, folder: place, names: [each.name] });
  const undeclared = undeclaredTypes(join(place, 'node_modules', each.name), each);
  if (undeclared.length > 0) throw new Error(`${each.name}: not in dependencies: ${undeclared.join(', ')}`);
  const entries = entriesOf(each);
  const check = `${isNotEmpty}\n`;
  const imports = entries.map((entry) => `isNotEmpty('${entry}', await import('${entry}'));`);
  const requires = entries.map((entry) => `isNotEmpty('${entry}', require('${entry}'));`);
  await runNode([write(place, 'imports.mjs', [check, ...imports, 'process.exit(0);'])], inFolder(place));
  await runNode([write(place, 'requires.cjs', [check, ...requires, 'process.exit(0);'])], inFolder(place));
}

/** Runs in the other folder, so it refers to nothing here. */
function isNotEmpty(entry, exports) {
  if (Object.keys(exports).filter((key) => key !== 'default').length === 0) throw new Error(`${entry} exports nothing`);
}

/** Packages that the published types name, and that the package does not declare. */
function undeclaredTypes(path, { name, manifest }) {
  const declared = new Set([name, ...Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })]);
  const types = readdirSync(join(path, 'dist')).filter((file) => /\.d\.c?ts$/.test(file));
  const imported = types.flatMap((file) =>
    ts.preProcessFile(readFileSync(join(path, 'dist', file), 'utf8')).importedFiles.map(({ fileName }) => fileName),
  );
  return [...new Set(imported)]
    .filter((request) => !/^(\.|node:)/.test(request) && !builtinModules.includes(request))
    .map((request) => request.split('/', request.startsWith('@') ? 2 : 1).join('/'))
    .filter((request) => !declared.has(request));
}

async function runExample(each, { file, javascript }) {
  const place = join(alone, `example-of-${each.folder}`);
  startProject(place);
  const names = installsOf(each);
  const missing = names.filter((name) => !existsSync(join(together, 'node_modules', name)));
  if (missing.length > 0)
    throw new Error(`${each.folder}/README.md: installs ${missing.join(', ')}, which is not here`);
  installAlone({ from: together, folder: place, names });
  for (const name of ['pictures', 'runs']) cpSync(join(together, name), join(place, name), { recursive: true });
  await runNode([write(place, `${file}.mjs`, [javascript])], inFolder(place));
}

/** The script must stand where it finds the packages. */
async function makeModel() {
  const script = join(together, 'untrained-model.mjs');
  copyFileSync(join(root, 'scripts/lib/untrained-model.mjs'), script);
  await runNode([script], inFolder(together));
}

function write(place, name, lines) {
  const path = join(place, name);
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}
