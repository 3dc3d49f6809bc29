import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { type TensorData, writeSafetensors } from '../index.js';
import { loadModelFolder, openCheckpoint, readMetrics, saveModelFolder } from './index.js';

const configSchema = z.strictObject({ dim: z.int() });
const tensor = (...values: number[]): TensorData<Float32Array> => ({
  shape: [values.length],
  data: Float32Array.from(values),
});
const tensors = new Map([
  ['a', tensor(1)],
  ['b', tensor(2, 3)],
  ['c', tensor(4)],
]);

let parent: string;
let path: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'transfusion-reader-'));
  path = join(parent, 'model');
});
afterEach(() => rm(parent, { recursive: true, force: true }));
const load = (folder = path) => loadModelFolder({ path: folder, configSchema });

test('every JSON and text file may begin with a byte order mark', async () => {
  await saveModelFolder({ path, config: {}, tensors, tokenizer: {}, trainer: { state: {}, optimizer: tensors } });
  for (const name of ['config.json', 'tokenizer.json', 'trainer_state.json']) {
    await writeFile(join(path, name), '\ufeff{"dim": 2}');
  }
  expect(await load()).toMatchObject({ config: { dim: 2 }, tokenizer: { dim: 2 } });
  expect(await openCheckpoint(path, (folder) => folder.readText('trainer_state.json'))).toBe('{"dim": 2}');
  await writeFile(join(parent, 'metrics.jsonl'), '\ufeff{"step": 1}\n');
  expect(await readMetrics(join(parent, 'metrics.jsonl'))).toEqual([{ step: 1 }]);
  await writeFile(join(path, 'config.json'), Buffer.from('\ufeff{"dim": 2}', 'utf16le'));
  await expect(load()).rejects.toThrow(/CHECKPOINT_FORMAT: .*config\.json is UTF-16/);
});

describe('weights in several files', () => {
  const INDEX = 'model.safetensors.index.json';
  const shards = { 'model-1.safetensors': ['a'], 'model-2.safetensors': ['b', 'c'] };
  const weightMap = { b: 'model-2.safetensors', a: 'model-1.safetensors', c: 'model-2.safetensors' };
  const writeIndex = (map: unknown, mark = '') =>
    writeFile(join(path, INDEX), mark + JSON.stringify({ metadata: { total_size: 16 }, weight_map: map }));

  beforeEach(async () => {
    await mkdir(path);
    await writeFile(join(path, 'config.json'), '{"dim": 2}');
    for (const [file, names] of Object.entries(shards)) {
      await writeFile(join(path, file), writeSafetensors(new Map(names.map((name) => [name, tensors.get(name)!]))));
    }
    await writeIndex(weightMap, '\ufeff');
  });

  test('are read by their index, all or some', async () => {
    expect(new Map([...(await load()).tensors].sort())).toEqual(tensors);
    const some = await openCheckpoint(path, (folder) => folder.readTensors(INDEX, ['c', 'a']));
    expect([...some.keys()].sort()).toEqual(['a', 'c']);
  });

  test('are not read where one file is there', async () => {
    await writeFile(join(path, 'model.safetensors'), writeSafetensors(new Map([['x', tensor(5)]])));
    expect([...(await load()).tensors.keys()]).toEqual(['x']);
  });

  test('missing ones are named, all of them', async () => {
    for (const file of Object.keys(shards)) await rm(join(path, file));
    await expect(load()).rejects.toThrow(
      /CHECKPOINT_MISSING: .*index\.json names 2 files of weights, missing: model-2\.safetensors, model-1\.safetensors/,
    );
  });

  test.each([
    '../model-1.safetensors',
    '/etc/model-1.safetensors',
    'x\\y.safetensors',
    'C:y.safetensors',
    'model-1.bin',
    '',
  ])('a file %j is not opened', async (file) => {
    await writeIndex({ ...weightMap, a: file });
    await expect(load()).rejects.toThrow(/CHECKPOINT_FORMAT: .*index\.json: weight_map puts "a" into/);
  });

  test('an index that is none, or that its files do not fit', async () => {
    await writeIndex(['a']);
    await expect(load()).rejects.toThrow(/CHECKPOINT_FORMAT: .*index\.json: has no weight_map/);
    await writeIndex({ ...weightMap, d: 'model-1.safetensors' });
    await expect(load()).rejects.toThrow(/CHECKPOINT_CONTENT: .*model-1\.safetensors has 1 tensors, none named "d"/);
    await writeFile(join(path, INDEX), '{');
    await expect(load()).rejects.toThrow(/CHECKPOINT_FORMAT: .*index\.json is not JSON/);
  });
});

describe('another folder or a file in place of a model says which to give', () => {
  beforeEach(() => saveModelFolder({ path, config: { dim: 2 }, tensors }));

  test('the folder of a run, or one level above', async () => {
    await expect(load(parent)).rejects.toThrow(
      `CHECKPOINT_MISSING: ${parent} has no config.json\n  fix: give ${path}, which`,
    );
    // Versions of the same model that a writer leaves are no other models.
    await mkdir(join(parent, 'model.old-3'));
    await writeFile(join(parent, 'model.old-3', 'config.json'), '{}');
    await expect(load(parent)).rejects.toThrow(`give ${path}, which has one`);
    await mkdir(join(parent, 'other'));
    await writeFile(join(parent, 'other', 'config.json'), '{}');
    await expect(load(parent)).rejects.toThrow(`give a folder that has one: ${path}, ${join(parent, 'other')}`);
    await writeFile(join(parent, 'model_index.json'), '{}');
    await expect(load(parent)).rejects.toThrow(/it is a diffusers pipeline/);
  });

  test("a model's folder in the cache of Hugging Face", async () => {
    const cache = join(parent, 'models--x--y');
    await mkdir(join(cache, 'snapshots', 'f00d'), { recursive: true });
    await writeFile(join(cache, 'snapshots', 'f00d', 'config.json'), '{}');
    await expect(load(cache)).rejects.toThrow(`give ${join(cache, 'snapshots', 'f00d')}, which has one`);
  });

  test('a model folder that lost a file is not mistaken for the folder of its autoencoder', async () => {
    for (const name of ['config.json', 'model.safetensors']) {
      await saveModelFolder({ path, config: { dim: 2 }, tensors, vae: { config: {}, tensors } });
      await rm(join(path, name));
      await expect(load()).rejects.toThrow(new RegExp(`has no ${name}\\n.*fetch it whole`));
      await rm(path, { recursive: true });
    }
  });

  test('a file of the folder', async () => {
    await expect(load(join(path, 'model.safetensors'))).rejects.toThrow(
      `CHECKPOINT_MISSING: ${join(path, 'model.safetensors')} is a file, expected a folder\n  fix: give its folder, ${path}`,
    );
  });

  test.each([
    ['v1-5.safetensors', /do not tell their architecture: .*from_single_file/s],
    ['v1-5.ckpt', /a pickle can run code/],
    ['vae.zip', /unpack it/],
    ['notes.txt', /a model is a folder with config\.json/],
  ])('a file %s', async (name, message) => {
    await writeFile(join(parent, name), '');
    await expect(load(join(parent, name))).rejects.toThrow(message);
  });
});
