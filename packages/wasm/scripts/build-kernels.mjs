/**
 * @file Compiles assembly/ into three WebAssembly modules (relaxed SIMD with wide register tiles, relaxed and plain SIMD
 * with narrow ones) and writes them, as base64, to src/generated. Does nothing if the sources and the compiler have not
 * changed since.
 *
 *   node scripts/build-kernels.mjs          build if needed
 *   node scripts/build-kernels.mjs --text   also write build/*.wat to read
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
/** What is written: constants of which file hold which module. Few engines want the wide one, so it can be left unread. */
const outputs = {
  'src/generated/kernels.ts': { relaxedModule: 'relaxed', plainModule: 'plain' },
  'src/generated/wide-kernels.ts': { wideModule: 'wide' },
};
const variants = {
  relaxed: { features: 'simd,threads,relaxed-simd', readFile: readSource },
  plain: { features: 'simd,threads', readFile: readSource },
  wide: { features: 'simd,threads,relaxed-simd', readFile: readWideSource },
};
const text = process.argv.includes('--text');

/** The static data must end below the threads' sinks; see assembly/scratch.ts. */
const STATIC_BASE = 1024;
const STATIC_END = 65536 - 64 * 128;

const compilerVersion = createRequire(import.meta.url)('assemblyscript/package.json').version;

function sources() {
  const assembly = path.join(root, 'assembly');
  const files = readdirSync(assembly)
    .filter((file) => file.endsWith('.ts'))
    .sort()
    .map((file) => path.join(assembly, file));
  return [...files, path.join(root, 'src/kernel-id.ts'), fileURLToPath(import.meta.url)];
}

function fingerprint() {
  const hash = createHash('sha256').update(compilerVersion);
  for (const file of sources()) {
    hash.update(`\n${path.basename(file)}\n`).update(readFileSync(file, 'utf8').replaceAll('\r\n', '\n'));
  }
  return hash.digest('hex');
}

function readSource(name, baseDirectory) {
  const file = path.resolve(baseDirectory, name);
  return existsSync(file) ? readFileSync(file, 'utf8') : null;
}

/** The sources with `WIDE` turned on; see assembly/width.ts. */
function readWideSource(name, baseDirectory) {
  const source = readSource(name, baseDirectory);
  if (source === null || path.basename(name) !== 'width.ts') return source;
  const wide = source.replace('WIDE: bool = false', 'WIDE: bool = true');
  if (wide === source) throw new Error('assembly/width.ts does not declare WIDE as this script expects');
  return wide;
}

/** Compiles one of `variants`. */
async function compile(name) {
  const { features, readFile } = variants[name];
  const asc = await import('assemblyscript/asc');
  const written = new Map();
  const { error, stderr } = await asc.main(
    [
      'assembly/index.ts',
      ...['--outFile', 'module.wasm', ...(text ? ['--textFile', 'module.wat'] : [])],
      ...['-O3', '--noAssert', '--runtime', 'stub', '--enable', features],
      ...['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
      ...['--memoryBase', String(STATIC_BASE)],
    ],
    {
      readFile,
      writeFile: (name, contents) => void written.set(name, contents),
      listFiles: (directory, baseDirectory) => {
        const folder = path.resolve(baseDirectory, directory);
        return existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.ts')) : null;
      },
    },
  );
  if (error) throw new Error(`the kernels do not compile (${features}):\n${stderr.toString()}`);
  const warnings = stderr.toString().trim();
  if (warnings) console.warn(warnings);
  return { binary: written.get('module.wasm'), text: written.get('module.wat') };
}

/** `compile` in a thread of its own. */
function compileInThread(name) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: name, argv: process.argv.slice(2) });
    worker.on('message', resolve).on('error', reject);
  });
}

/** Instantiates a module to see that its static data ends below the scratch. */
async function checkStaticData(name, binary) {
  // Node 20 does not validate relaxed SIMD without a flag; the plain module has the same data.
  if (!WebAssembly.validate(binary)) return;
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 65536, shared: true });
  await WebAssembly.instantiate(binary, { env: { memory } });
  const end = new Uint8Array(memory.buffer).findLastIndex((byte) => byte !== 0);
  if (end >= STATIC_END) throw new Error(`${name}: static data ends at ${end}, beyond the ${STATIC_END} it may use`);
}

if (isMainThread) await build();
else parentPort.postMessage(await compile(workerData));

async function build() {
  const hash = fingerprint();
  const isBuilt = (file) => existsSync(file) && readFileSync(file, 'utf8').includes(hash);
  if (!text && Object.keys(outputs).every((file) => isBuilt(path.join(root, file)))) return;

  process.chdir(root);
  const started = performance.now();
  const compiled = Object.keys(variants).map(async (name) => [name, await compileInThread(name)]);
  const modules = Object.fromEntries(await Promise.all(compiled));
  for (const [name, module] of Object.entries(modules)) await checkStaticData(name, module.binary);

  for (const [file, constants] of Object.entries(outputs)) {
    const lines = Object.entries(constants).map(
      ([constant, name]) => `export const ${constant} = '${Buffer.from(modules[name].binary).toString('base64')}';`,
    );
    mkdirSync(path.dirname(file), { recursive: true });
    const temporary = `${file}.${process.pid}`;
    writeFileSync(temporary, [`// Written by scripts/build-kernels.mjs from sources ${hash}`, ...lines, ''].join('\n'));
    renameSync(temporary, file);
  }
  if (text) {
    mkdirSync('build', { recursive: true });
    for (const [name, module] of Object.entries(modules)) writeFileSync(`build/${name}.wat`, module.text);
  }
  const sizes = Object.entries(modules).map(([name, { binary }]) => `${name} ${binary.length} bytes`);
  console.log(`wasm kernels: ${sizes.join(', ')} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}
