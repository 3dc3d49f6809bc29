/** @file Models by the names of packages that are installed, by paths and by addresses: the same model, checked when asked. */
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MemorySource } from '@transfusion/checkpoint';
import { saveModelFolder, writeSums } from '@transfusion/checkpoint/node';
import type { Backend } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { type FileServer, fileListener, serve } from '../../../checkpoint/src/testing/file-server.js';
import { createSampler, type LoadedModel } from '../index.js';
import { byteTokenizer, tinyConfig, tinyWeights } from '../testing/tiny-model.js';
import {
  findModelFolder,
  openModel,
  packagedModel,
  readHashedModelFolder,
  readModelConfig,
  readModelFolder,
} from './index.js';

const NAME = '@transfusion-test/tiny';
const config = tinyConfig();
const home = process.cwd();
let folder: string;
let installed: string;
let backend: Backend;
let server: FileServer | undefined;

beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
});
afterAll(() => backend.dispose());
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'transfusion-find-')));
  installed = join(folder, 'node_modules', NAME);
  await mkdir(installed, { recursive: true });
  await writeFile(
    join(installed, 'package.json'),
    JSON.stringify({ name: NAME, exports: { './package.json': './package.json' } }),
  );
  process.chdir(folder);
});
afterEach(async () => {
  process.chdir(home);
  await server?.close();
  server = undefined;
  await rm(folder, { recursive: true, force: true });
});

async function save(path: string, f16 = false): Promise<string> {
  const weights = tinyWeights(config);
  const tensors = f16
    ? new Map([...weights].map(([name, each]) => [name, { ...each, dtype: 'F16' as const }]))
    : weights;
  await saveModelFolder({ path, config, tensors, tokenizer: byteTokenizer().toJson() });
  return path;
}

async function draw(model: LoadedModel) {
  const sampler = createSampler({ backend, ...model });
  const [image] = await sampler.drawImages({ prompts: ['red'], steps: 2 });
  sampler.dispose();
  model.dispose();
  return [...image.data];
}

async function filesOf(path: string) {
  const entries = await readdir(path);
  return Object.fromEntries(
    await Promise.all(entries.map(async (name) => [name, await readFile(join(path, name))] as const)),
  );
}

test('a package by its name, a folder by its path or address, a server, a source: the same picture', async () => {
  const path = await save(join(installed, 'model'));
  expect(findModelFolder(NAME)).toBe(path);
  expect(packagedModel(NAME)).toBe(path);
  const files = await filesOf(path);
  server = await serve(fileListener(files));
  const expected = await draw(await openModel(path, backend));
  for (const model of [NAME, pathToFileURL(path), pathToFileURL(path).href, server.url, new URL(server.url)]) {
    expect(await draw(await openModel(model, backend))).toEqual(expected);
  }
  expect(await draw(await openModel(new MemorySource(files), backend))).toEqual(expected);
  expect(await readModelConfig(NAME)).toEqual(config);
  expect((await readHashedModelFolder(NAME)).hashes).toEqual((await readHashedModelFolder(path)).hashes);
});

test('weights that are stored in f16 are those of f32, rounded', async () => {
  const halves = await readModelFolder(await save(join(folder, 'halves'), true));
  for (const [name, { data }] of (await readModelFolder(await save(join(folder, 'whole')))).tensors) {
    const half = halves.tensors.get(name)!.data;
    // 11 significant bits; below 2^-14 a fixed step of 2^-24.
    for (const [i, value] of data.entries())
      expect(Math.abs(half[i] - value)).toBeLessThanOrEqual(Math.max(Math.abs(value) * 2 ** -11, 2 ** -25));
  }
});

test('what is there as a folder stays a folder; a path is never taken for a package', async () => {
  await save(join(installed, 'model'));
  await mkdir(join(folder, NAME), { recursive: true });
  expect(findModelFolder(NAME)).toBe(NAME);
  for (const path of ['runs/none', './none', '../none', 'C:\\none', '/none', 'none'])
    expect(findModelFolder(path)).toBe(path);
});

test('a name without a package, and a package without a model, are told', async () => {
  expect(packagedModel(NAME)).toBeUndefined();
  expect(() => findModelFolder(NAME)).toThrow(
    new RegExp(`^MODEL_NAME: the package ${NAME} in ${installed} has no model/config\\.json`),
  );
  await expect(openModel('@transfusion-test/none', backend)).rejects.toThrow(
    /^MODEL_NAME: there is no folder @transfusion-test\/none, and no package of that name is installed\n.*npm install/,
  );
  await expect(openModel('hf://owner/name', backend)).rejects.toThrow(
    /^MODEL_NAME: hf:\/\/owner\/name is on the Hugging Face hub.*\n.*fromHub\('hf:\/\/owner\/name'\)/,
  );
  await expect(openModel('ftp://example.org/model', backend)).rejects.toThrow(/^CHECKPOINT_MISSING: folder ftp:/);
  await expect(openModel(new URL('ftp://example.org/model'), backend)).rejects.toThrow(/^CHECKPOINT_ARGUMENT: ftp:/);
});

test('files are checked when asked, by SHA256SUMS or by hashes that are given', async () => {
  const path = await save(join(installed, 'model'));
  await expect(readModelFolder(NAME, { verify: true })).rejects.toThrow(/^CHECKPOINT_MISSING: .* has no SHA256SUMS/);
  const sums = await writeSums(path);
  const model = await readModelFolder(NAME, { verify: true });
  expect(model.tensors).toEqual((await readModelFolder(path)).tensors);
  expect((await readModelFolder(path, { verify: sums })).tensors).toEqual(model.tensors);
  const weights = join(path, 'model.safetensors');
  const bytes = await readFile(weights);
  bytes[bytes.length - 1] ^= 1;
  await writeFile(weights, bytes);
  const damaged = /^CHECKPOINT_FORMAT: .*model\.safetensors is not the file that was published/;
  await expect(openModel(NAME, backend, { verify: true })).rejects.toThrow(damaged);
  await expect(openModel(new MemorySource(await filesOf(path)), backend, { verify: sums })).rejects.toThrow(damaged);
  await expect(readModelFolder(NAME)).resolves.toBeDefined();
});
