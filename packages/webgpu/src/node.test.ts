import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { softwareAdapterEnvironment } from './index.js';
import { bundlePackage, root } from './testing/bundle.js';

/** Plain Node, without jest's environment: finding Dawn, unpacking and loading SwiftShader, and ending by itself. */
const packageFolder = resolve(__dirname, '..');
const unpack = join(packageFolder, 'scripts/unpack-swiftshader.mjs');
const hasSwiftShader = process.platform === 'linux' && process.arch === 'x64';

const workFolder = join(root, '.cache', `webgpu-test-${process.pid}`);
const swiftShader = join(workFolder, 'swiftshader');

beforeAll(() => {
  mkdirSync(workFolder, { recursive: true });
  bundlePackage(workFolder);
  if (hasSwiftShader) execFileSync(process.execPath, [unpack, swiftShader]);
});
afterAll(() => rmSync(workFolder, { recursive: true, force: true }));

/** Runs a script that sees `openWebGpu`; gives its output and how it ended. */
function runScript(script: string, environment: Record<string, string> = {}) {
  const file = join(workFolder, `script-${Math.random().toString(36).slice(2)}.mjs`);
  writeFileSync(file, `import { openWebGpu } from './index.js';\n${script}`);
  const { TRANSFUSION_SWIFTSHADER: _, ...inherited } = process.env;
  const ended = spawnSync(process.execPath, [file], {
    env: { ...inherited, ...environment },
    encoding: 'utf8',
    timeout: 240_000,
  });
  return { output: ended.stdout.trim(), errors: ended.stderr.trim(), status: ended.status, signal: ended.signal };
}

const OPEN_TWICE = `
for (let i = 0; i < 2; i++) {
  const backend = await openWebGpu(options);
  const buffer = backend.createBuffer(3);
  buffer.write(Float32Array.of(1, 2, 3));
  console.log(backend.adapterKind, String(new Float32Array(await buffer.read())));
  await backend.dispose();
}`;

const onLinuxX64 = hasSwiftShader ? test : test.skip;

onLinuxX64('Dawn finds SwiftShader in a folder without restarting the process, and Node ends', () => {
  const given = runScript(`const options = { swiftShaderFolder: ${JSON.stringify(swiftShader)} };${OPEN_TWICE}`);
  expect(given).toMatchObject({ status: 0, signal: null });
  expect(given.output).toMatch(/^(\w+ 1,2,3\n?){2}$/);
  const named = runScript(`const options = {};${OPEN_TWICE}`, { TRANSFUSION_SWIFTSHADER: swiftShader });
  expect(named).toMatchObject({ status: 0, output: given.output });
});

onLinuxX64('a process started with softwareAdapterEnvironment finds it by itself', () => {
  const environment = softwareAdapterEnvironment(swiftShader);
  expect(Object.keys(environment!)).toEqual(['LD_LIBRARY_PATH', 'VK_ICD_FILENAMES']);
  const started = runScript(`const options = { adapter: 'software' };${OPEN_TWICE}`, environment);
  expect(started).toMatchObject({ status: 0, output: 'software 1,2,3\nsoftware 1,2,3', errors: '' });
});

test('a folder without SwiftShader gives no environment', () => {
  expect(softwareAdapterEnvironment(join(workFolder, 'nothing'))).toBeUndefined();
});

test('without an adapter the error says what was tried and what to do', () => {
  const environment = { VK_ICD_FILENAMES: '/nonexistent.json', VK_DRIVER_FILES: '/nonexistent.json' };
  const { output, status } = runScript(
    `try {
      const backend = await openWebGpu({ requireGpu: true, swiftShaderFolder: 'nothing' });
      console.log('opened', backend.adapterKind);
      await backend.dispose();
    } catch (error) { console.log(error.code, error.message); }`,
    environment,
  );
  expect(status).toBe(0);
  expect(output).toMatch(/^opened hardware$|^BACKEND_UNAVAILABLE .*tried .*Dawn[^\n]*\n {2}fix: /);
});

onLinuxX64('unpacking is idempotent and repairs what is missing', () => {
  const folder = join(mkdtempSync(join(tmpdir(), 'swiftshader-')), 'deep', 'folder');
  const run = () => execFileSync(process.execPath, [unpack, folder], { encoding: 'utf8' });
  const loader = join(folder, 'libvulkan.so.1');
  expect(run()).toMatch(/unpacked/);
  const made = statSync(loader).mtimeMs;
  expect(run()).toMatch(/present/);
  expect(statSync(loader).mtimeMs).toBe(made);
  rmSync(loader);
  expect(run()).toMatch(/unpacked/);
  expect(readdirSync(join(folder, '..'))).toEqual(['folder']);
  rmSync(resolve(folder, '../..'), { recursive: true });
});
