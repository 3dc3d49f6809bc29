/** @file A model leaves the page as a zip file that the command line opens, and comes back. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createSampler } from '@transfusion/sampler';
import { openModel, readHashedModelFolder } from '@transfusion/sampler/node';
import type { Backend } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import type { Files } from './folders.js';
import { Library, modelZip } from './library.js';
import { MemoryStore } from './storage.js';
import { tinyFiles } from './testing/model.js';
import { isZip, modelFolderOf, unzip } from './zip.js';

let backend: Backend;
let folder: string;
beforeAll(async () => {
  backend = await openWasm({ threads: 1, fusedMultiplyAdd: false });
  folder = await mkdtemp(join(tmpdir(), 'transfusion-playground-'));
});
afterAll(async () => {
  await backend.dispose();
  await rm(folder, { recursive: true, force: true });
});

async function unpack(files: Files): Promise<void> {
  for (const [name, bytes] of files) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), bytes);
  }
}

test.each([false, true])('with an autoencoder: %s', async (latents) => {
  const library = new Library(new MemoryStore());
  const given = { name: 'mine', origin: 'trained' as const, suggestions: ['red'] };
  const model = await library.add(tinyFiles({ latents }), given, backend);
  const zip = await modelZip(model);
  expect(isZip(zip)).toBe(true);
  const files = unzip(zip, 'mine.zip');
  await rm(folder, { recursive: true });
  await unpack(files);

  // As `sampler generate --model` and `--like` read it.
  const inside = join(folder, 'model');
  const { stored, hashes } = await readHashedModelFolder(inside);
  expect(hashes).toEqual(model.hashes);
  expect(stored.vae !== undefined).toBe(latents);
  const opened = await openModel(inside, backend, { verify: true });
  const [drawn] = await model.sampler.drawImages({ prompts: ['red'], seed: 3 });
  const [inNode] = await createSampler({ backend, ...opened }).drawImages({ prompts: ['red'], seed: 3 });
  expect(inNode).toEqual(drawn);

  const again = await library.add(files, { name: 'again', origin: 'imported' }, backend);
  expect(again.info).toMatchObject({ name: 'again', origin: 'imported', suggestions: ['red'] });
  expect((await again.sampler.drawImages({ prompts: ['red'], seed: 3 }))[0]).toEqual(drawn);
  expect((await library.list()).map(({ name }) => name)).toEqual(['mine', 'again']);
});

test('the state of a run is not taken along', async () => {
  const files = new Map([
    ...tinyFiles(),
    ['optimizer.safetensors', new Uint8Array(8)] as const,
    ['trainer_state.json', new Uint8Array(2)] as const,
  ]);
  const { files: own } = await new Library(new MemoryStore()).add(files, { name: 'run', origin: 'imported' }, backend);
  expect([...own.keys()].sort()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json']);
});

test('where there is no room to keep it, a model is open all the same', async () => {
  const store = new MemoryStore();
  store.write = async () => {
    throw new DOMException('full', 'QuotaExceededError');
  };
  const library = new Library(store);
  const model = await library.add(tinyFiles(), { name: 'mine', origin: 'trained' }, backend);
  expect(model.info.isKept).toBe(false);
  expect(await model.sampler.drawImages({ prompts: ['red'], steps: 2 })).toHaveLength(1);
  expect(await library.list()).toEqual([]);
});

test('what is no model says so, and is not kept', async () => {
  const library = new Library(new MemoryStore());
  const given = { name: 'pictures', origin: 'imported' as const };
  await expect(library.add(new Map([['cat.png', new Uint8Array(3)]]), given, backend)).rejects.toThrow(
    /MODEL_MISSING: pictures has no config\.json/,
  );
  const broken = tinyFiles();
  broken.set('model.safetensors', broken.get('model.safetensors')!.slice(0, -4));
  await expect(library.add(broken, given, backend)).rejects.toThrow(/model\.safetensors/);
  expect(await library.list()).toEqual([]);
  expect(() => unzip(Uint8Array.of(1, 2, 3), 'x.zip')).toThrow(/ZIP_UNREADABLE: x\.zip/);
});

test('the folder beside the outermost config.json is the model', () => {
  const names = ['a/b/config.json', 'a/b/vae/config.json', 'a/b/model.safetensors', 'a/readme.md'];
  const files = new Map(names.map((name) => [name, new Uint8Array(1)]));
  expect([...modelFolderOf(files, 'a').keys()]).toEqual(['config.json', 'vae/config.json', 'model.safetensors']);
});
