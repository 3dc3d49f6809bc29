/** @file LoRAs of model folders: drawn with, merged, taken out again, refused. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemorySource, weightsFingerprint, writeSafetensors } from '@transfusion/checkpoint';
import { saveAdapterFolder, saveModelFolder } from '@transfusion/checkpoint/node';
import type { RgbImage } from '@transfusion/data';
import { linearLayers } from '@transfusion/nn';
import { type Backend, PhiloxStream } from '@transfusion/tensor';
import { transfusionSpec } from '@transfusion/transformer';
import { openWasm } from '@transfusion/wasm';
import { createSampler, loadModel, mergeAdapters, openModel, type StoredModel, unmergeAdapters } from '../index.js';
import { byteTokenizer, tinyConfig, tinySampler, tinyWeights } from '../testing/tiny-model.js';
import { openModelFolder, readAdapterFolder, readHashedModelFolder, readModelFolder } from './index.js';

const config = tinyConfig();
const layers = linearLayers(transfusionSpec(config.model));
let folder: string;
let model: string;
let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
  folder = await mkdtemp(join(tmpdir(), 'transfusion-lora-'));
  model = join(folder, 'model');
  await saveModelFolder({ path: model, config, tensors: tinyWeights(config), tokenizer: byteTokenizer().toJson() });
});
afterAll(async () => {
  await backend.dispose();
  await rm(folder, { recursive: true, force: true });
});

type Tensors = Map<string, { shape: number[]; data: Float32Array }>;

/** Tensors with PEFT's names, of all layers or of some. */
function tensorsOf({ seed = 1, rank = 3, size = 0.1, paths = [...layers.keys()] } = {}): Tensors {
  const random = new PhiloxStream(seed);
  const tensor = (...shape: number[]) => ({
    shape,
    data: Float32Array.from({ length: shape[0] * shape[1] }, () => size * random.normal()),
  });
  return new Map(
    paths.flatMap((path) => {
      const { outputs, inputs } = layers.get(path)!;
      return [
        [`base_model.model.${path}.lora_A.weight`, tensor(rank, inputs)] as const,
        [`base_model.model.${path}.lora_B.weight`, tensor(outputs, rank)] as const,
      ];
    }),
  );
}

/** As PEFT writes it, with many fields that say how it was trained. */
const peftConfig = (changes: Record<string, unknown> = {}) => ({
  ...{ peft_type: 'LORA', r: 3, lora_alpha: 6, lora_dropout: 0.05, bias: 'none', task_type: 'CAUSAL_LM' },
  ...{ target_modules: null, base_model_name_or_path: null, fan_in_fan_out: false, inference_mode: true },
  ...{ modules_to_save: null, rank_pattern: {}, alpha_pattern: {}, use_dora: false, use_rslora: false },
  ...{ init_lora_weights: true, layers_to_transform: null, loftq_config: {}, revision: null, auto_mapping: null },
  ...changes,
});

let made = 0;
async function save(tensors: Tensors, changes: Record<string, unknown> = {}): Promise<string> {
  const path = join(folder, `adapter-${made++}`);
  await saveAdapterFolder({ path, config: peftConfig(changes), tensors });
  return path;
}

const options = { prompts: ['red', ''], seed: 4 };
async function draw(stored: StoredModel): Promise<RgbImage[]> {
  const loaded = loadModel(stored, backend);
  const sampler = createSampler({ backend, ...loaded });
  try {
    return await sampler.drawImages(options);
  } finally {
    sampler.dispose();
    loaded.dispose();
  }
}

function difference(a: readonly RgbImage[], b: readonly RgbImage[]): number {
  return Math.max(...a.flatMap(({ data }, i) => [...data].map((value, j) => Math.abs(value - b[i].data[j]))));
}

test("a LoRA from elsewhere, whose B is zero, draws the model's pictures in every bit", async () => {
  const tensors = tensorsOf();
  for (const [name, { data }] of tensors) if (name.includes('lora_B')) data.fill(0);
  const stored = await readModelFolder(model, { adapters: [{ path: await save(tensors) }] });
  expect(stored.adapters?.[0].layers.size).toBe(layers.size);
  const drawn = await tinySampler(backend, config).drawImages(options);
  expect(await draw(stored)).toEqual(drawn);
});

test('several LoRAs add up with their scales, and merged weights draw the same', async () => {
  const [first, second] = [
    await save(tensorsOf()),
    await save(tensorsOf({ seed: 2, rank: 2 }), { r: 2, lora_alpha: 3 }),
  ];
  const adapters = [
    { path: first, strength: 0.5 },
    { path: second, strength: -1.2 },
  ];
  const both = await readModelFolder(model, { adapters });
  const plain = await readModelFolder(model);
  const drawn = await draw(both);
  const merged = await draw({ ...plain, tensors: mergeAdapters(plain.tensors, both.adapters!) });
  expect(difference(drawn, await draw(plain))).toBeGreaterThan(0.05);
  expect(difference(drawn, await draw(await readModelFolder(model, { adapters: [adapters[0]] })))).toBeGreaterThan(
    0.02,
  );
  expect(difference(drawn, merged)).toBeLessThan(2e-4);

  // A weight by hand: 0.5 * 6 / 3 = 1, -1.2 * 3 / 2 = -1.8.
  const [one, two] = [tensorsOf(), tensorsOf({ seed: 2, rank: 2 })];
  const at = (tensors: Tensors, which: string) => tensors.get(`base_model.model.patchIn.lora_${which}.weight`)!.data;
  const product = (tensors: Tensors, rank: number) => {
    let sum = 0;
    for (let r = 0; r < rank; r++) sum += at(tensors, 'B')[5 * rank + r] * at(tensors, 'A')[r * 12 + 7];
    return sum;
  };
  const expected = plain.tensors.get('patchIn.weight')!.data[5 * 12 + 7] + product(one, 3) - 1.8 * product(two, 2);
  const found = mergeAdapters(plain.tensors, both.adapters!).get('patchIn.weight')!.data[5 * 12 + 7];
  expect(found).toBeCloseTo(expected, 6);
});

test('merged and taken out again, the weights are back, but for roundings', async () => {
  const { tensors, adapters } = await readModelFolder(model, { adapters: [{ path: await save(tensorsOf()) }] });
  const merged = mergeAdapters(tensors, adapters!);
  const back = unmergeAdapters(merged, adapters!);
  expect([...back.keys()]).toEqual([...tensors.keys()]);
  for (const [name, { data }] of tensors) {
    const changed = merged.get(name)!.data;
    const isLayer = layers.has(name.replace(/\.weight$/, ''));
    expect(changed.some((value, i) => value !== data[i])).toBe(isLayer);
    const found = back.get(name)!.data;
    const units = [...data].map((value, i) => {
      return Math.abs(found[i] - value) / (2 ** -23 * Math.max(Math.abs(value), Math.abs(changed[i])));
    });
    expect(Math.max(...units)).toBeLessThanOrEqual(1);
  }
});

test('its own folder stands for the model that it names, and the LoRA', async () => {
  const { tensors } = await readModelFolder(model);
  const base = { base_model_name_or_path: model, base_model_fingerprint: await weightsFingerprint(tensors) };
  const path = await save(tensorsOf(), base);
  const stored = await readModelFolder(path);
  expect(stored.adapters).toEqual((await readModelFolder(model, { adapters: [{ path }] })).adapters);
  const { liveBuffers } = backend.stats();
  (await openModelFolder(path, backend)).dispose();
  expect(backend.stats().liveBuffers).toBe(liveBuffers);
  const lost = await save(tensorsOf(), { ...base, base_model_name_or_path: join(folder, 'lost') });
  const moved = await save(tensorsOf(), { ...base, base_model_name_or_path: 'runs/lost' });
  for (const read of [readModelFolder, readHashedModelFolder]) {
    await expect(read(lost)).rejects.toThrow(
      /LORA_NO_MODEL: .* is a LoRA of \S+lost, where there is no model now \(base_model_name_or_path in its adapter_config/,
    );
    // A relative path is one from where the program runs.
    await expect(read(moved)).rejects.toThrow(`as seen from ${process.cwd()}`);
    await expect(read(moved)).rejects.toThrow(`--model BASE --lora ${moved}`);
    await expect(read(join(folder, 'nowhere'))).rejects.toThrow(/CHECKPOINT_MISSING/);
  }
  await expect(readModelFolder(await save(tensorsOf()))).rejects.toThrow(
    /LORA_NO_MODEL: .*does not say of which model/,
  );
});

test('from memory, as a page reads it', async () => {
  const path = await save(tensorsOf());
  const source = async (at: string, names: string[]) =>
    new MemorySource(
      new Map(await Promise.all(names.map(async (name) => [name, await readFile(join(at, name))] as const))),
      at,
    );
  const adapter = await source(path, ['adapter_config.json', 'adapter_model.safetensors']);
  const whole = await source(model, ['config.json', 'model.safetensors', 'tokenizer.json']);
  const loaded = await openModel(whole, backend, { adapters: [{ source: adapter, strength: 0.7 }] });
  const drawn = await createSampler({ backend, ...loaded }).drawImages(options);
  expect(drawn).toEqual(await draw(await readModelFolder(model, { adapters: [{ path, strength: 0.7 }] })));
  loaded.dispose();
  await expect(openModel(adapter, backend)).rejects.toThrow(/LORA_NO_MODEL: .* is a LoRA .*, not a model/);
});

test('a LoRA of another model is refused, unless it is asked for', async () => {
  const path = await save(tensorsOf(), {
    base_model_fingerprint: 'ab'.repeat(32),
    base_model_name_or_path: 'runs/other',
  });
  const stored = await readModelFolder(model);
  await expect(readAdapterFolder(path, stored)).rejects.toThrow(/LORA_BASE: .* of another model \(runs\/other\)/);
  expect((await readAdapterFolder(path, stored, { checkBase: false })).layers.size).toBe(layers.size);
});

describe('refused by name', () => {
  const change = (edit: (tensors: Tensors) => void) => {
    const tensors = tensorsOf();
    edit(tensors);
    return tensors;
  };
  const A = 'base_model.model.patchIn.lora_A.weight';

  test.each<[string, () => Tensors, Record<string, unknown>, RegExp]>([
    ['another kind', () => tensorsOf(), { peft_type: 'IA3' }, /adapter_config\.json has a problem:\n.*peft_type/],
    ['a rank of nothing', () => tensorsOf(), { r: 0 }, /r: .*>=1/],
    ['DoRA', () => tensorsOf(), { use_dora: true }, /use_dora: is not supported here: expected false \(got true\)/],
    ['biases', () => tensorsOf(), { bias: 'all' }, /bias: is not supported/],
    ['ranks by layer', () => tensorsOf(), { rank_pattern: { query: 4 } }, /rank_pattern: is not supported/],
    ['whole modules', () => tensorsOf(), { modules_to_save: ['norm'] }, /modules_to_save: is not supported/],
    [
      'another rank',
      () => tensorsOf(),
      { r: 4 },
      /blocks\.0\.attention\.key\.lora_A\.weight is \[3, 16\], expected \[4, 16\]/,
    ],
    [
      'a rank that no layer can have',
      () => tensorsOf({ rank: 9, paths: ['patchIn', 'timestepEmbedding.first'] }),
      { r: 9 },
      /LORA_RANK: timestepEmbedding\.first is \[16, 8\], a rank of 9/,
    ],
    [
      'a layer that is none',
      () => change((all) => all.set('base_model.model.patchInn.lora_A.weight', all.get(A)!)),
      {},
      /a LoRA of patchInn, which is no linear layer of this model \(the nearest is patchIn\)/,
    ],
    [
      'a tensor of something else',
      () => change((all) => all.set('lora_embedding_A', all.get(A)!)),
      {},
      /has lora_embedding_A, expected names such as base_model\.model\./,
    ],
    ['half a layer', () => change((all) => all.delete(A)), {}, /has no lora_A of patchIn, and its other half/],
    [
      'a layer that is no target',
      () => tensorsOf(),
      { target_modules: ['query', 'patchIn'] },
      /has a LoRA of blocks\.0\.attention\.key, which target_modules does not name/,
    ],
    [
      'a target without tensors',
      () => tensorsOf({ paths: ['patchIn'] }),
      { target_modules: ['patchIn', 'patchOut'] },
      /has no LoRA of patchOut, which target_modules names/,
    ],
    [
      'an unknown target',
      () => tensorsOf({ paths: ['patchIn'] }),
      { target_modules: ['patchIn', 'q_proj'] },
      /LORA_TARGETS: .*"q_proj"/,
    ],
    [
      'NaN',
      () => change((all) => (all.get(A)!.data[4] = Number.NaN)),
      {},
      /patchIn\.lora_A\.weight \[3, 12\] has NaN at value 4/,
    ],
    ['nothing', () => new Map(), {}, /has no tensors/],
  ])('%s', async (_, tensors, changes, message) => {
    const path = await save(tensors(), changes);
    await expect(readModelFolder(model, { adapters: [{ path }] })).rejects.toThrow(message);
  });

  test('a file that is cut, and one that is missing', async () => {
    const path = await save(tensorsOf());
    const file = join(path, 'adapter_model.safetensors');
    await writeFile(file, (await readFile(file)).subarray(0, 900));
    await expect(readModelFolder(model, { adapters: [{ path }] })).rejects.toThrow(/adapter_model\.safetensors/);
    await rm(file);
    await expect(readModelFolder(model, { adapters: [{ path }] })).rejects.toThrow(/has no adapter_model\.safetensors/);
    await writeFile(file, writeSafetensors(tensorsOf()));
    await expect(readModelFolder(model, { adapters: [{ path }] })).resolves.toBeDefined();
  });
});
