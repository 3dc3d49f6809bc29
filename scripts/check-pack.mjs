/**
 * @file Installs the tarballs that would be published, together, in an empty folder outside the repository, and checks
 * there that every entry can be imported and required, that its types resolve, and that each README's first example
 * type-checks and runs.
 *
 * The example is the first `ts` or `js` block of the README, or the first one after a line `<!-- example -->`. It runs in
 * the empty folder, on the software WebGPU adapter where there is one.
 */
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { packAll } from './lib/pack.mjs';
import { ChildError, runNode, runNpm } from './lib/processes.mjs';
import { root } from './lib/repository.mjs';
import { stage } from './lib/stage.mjs';
import { setupOrExit } from './setup.mjs';

const require = createRequire(import.meta.url);
const { environment } = await setupOrExit({ types: true, webgpu: true });
const folder = mkdtempSync(join(realpathSync(tmpdir()), 'transfusion-pack-'));
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
  const examples = packages.map(exampleOf);
  await stage(`installing ${packages.length} tarballs in an empty folder`, () => install(packages));
  await stage(`importing ${entries.length} entries`, () => runNode([writeImports(entries)], inFolder()));
  await stage(`requiring ${entries.length} entries`, () => runNode([writeRequires(entries)], inFolder()));
  await stage('checking types', () => checkTypes(entries, examples));
  await stage('drawing pictures for the examples', () => runNode([writePictures()], inFolder()));
  for (const example of examples) await stage(`running ${example.readme}'s example`, () => runExample(example));
}

function inFolder() {
  return { cwd: folder, env: environment, timeoutSeconds: 300 };
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
  // Optional peers are what a README's example tells its reader to install; the largest the repository does not install either.
  const peers = packages
    .flatMap(({ manifest }) => Object.entries(manifest.peerDependencies ?? {}))
    .filter(([name]) => existsSync(join(root, 'node_modules', name)));
  const extras = [...types, ...peers.map(([name, range]) => `${name}@${range}`)];
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'elsewhere', private: true, type: 'module' }));
  const flags = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', '--save-exact'];
  await runNpm(['install', ...flags, ...packages.map(({ tarball }) => tarball), ...extras], { cwd: folder });
}

function writeImports(entries) {
  const lines = entries.map((entry) => `isNotEmpty('${entry}', await import('${entry}'));`);
  return write('imports.mjs', [isNotEmpty.toString(), ...lines, 'process.exit(0);']);
}

function writeRequires(entries) {
  const lines = entries.map((entry) => `isNotEmpty('${entry}', require('${entry}'));`);
  return write('requires.cjs', [isNotEmpty.toString(), ...lines, 'process.exit(0);']);
}

/** Runs in the empty folder, so it refers to nothing here. */
function isNotEmpty(entry, exports) {
  if (Object.keys(exports).filter((key) => key !== 'default').length === 0) throw new Error(`${entry} exports nothing`);
}

async function checkTypes(entries, examples) {
  const uses = entries.map(
    (entry, i) => `import * as entry${i} from '${entry}';\nexport type Entry${i} = typeof entry${i};`,
  );
  write('entries.mts', uses);
  write('entries.cts', uses);
  for (const { file, code, language } of examples) if (language === 'ts') write(`${file}.mts`, [code, 'export {};']);
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2022',
    lib: ['ES2023', 'DOM', 'DOM.Iterable'],
    types: ['node', '@webgpu/types'],
    strict: true,
    skipLibCheck: false,
    noEmit: true,
  };
  write('tsconfig.json', [JSON.stringify({ compilerOptions, include: ['*.mts', '*.cts'] })]);
  await runNode([require.resolve('typescript/bin/tsc'), '-p', folder], { cwd: folder });
}

function exampleOf({ folder: packageFolder }) {
  const readme = `${packageFolder}/README.md`;
  const text = readFileSync(join(root, readme), 'utf8');
  const marked = text.split(/^<!-- example -->$/m).at(-1);
  const block = /^```(ts|js)\r?\n([\s\S]*?)^```/m.exec(marked);
  if (!block) throw new Error(`${readme}: has no ts or js example`);
  const lines = block[2].trim().split('\n').length;
  if (lines >= 15) throw new Error(`${readme}: the first example has ${lines} lines; keep it under 15`);
  return { readme, file: `example-${packageFolder.split('/').at(-1)}`, language: block[1], code: block[2] };
}

async function runExample({ file, code }) {
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true };
  const { outputText } = ts.transpileModule(code, { compilerOptions: options });
  await runNode([write(`${file}.mjs`, [outputText])], inFolder());
}

/** `pictures/`, as examples expect of their readers: four of them, with captions. */
function writePictures() {
  return write('pictures.mjs', [
    "import { mkdirSync, writeFileSync } from 'node:fs';",
    "import { encodePng } from '@transfusion/data';",
    "mkdirSync('pictures');",
    "for (const [i, name] of ['black', 'dim', 'pale', 'white'].entries()) {",
    '  const data = new Float32Array(20 * 20 * 3).fill((2 * i) / 3 - 1);',
    "  writeFileSync('pictures/' + name + '.png', encodePng({ width: 20, height: 20, data }));",
    "  writeFileSync('pictures/' + name + '.txt', 'a square that is ' + name);",
    '}',
  ]);
}

function write(name, lines) {
  const path = join(folder, name);
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}
