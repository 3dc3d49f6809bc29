import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeSafetensors } from '@transfusion/checkpoint';
import { saveModelFolder } from '@transfusion/checkpoint/node';
import type { Backend } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { createSampler } from '../index.js';
import { byteTokenizer, tinyConfig, tinyParameters, tinySampler, tinyWeights } from '../testing/tiny-model.js';
import { openModelFolder, parameterTensors, readModelFolder } from './index.js';

const config = tinyConfig();
let folder: string;
let path: string;
let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
});
afterAll(() => backend.dispose());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-model-'));
  path = join(folder, 'model');
  await save({});
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function save(changes: { config?: unknown; tensors?: ReturnType<typeof tinyWeights>; tokenizer?: unknown }) {
  return saveModelFolder({
    path,
    config,
    tensors: tinyWeights(config),
    tokenizer: byteTokenizer().toJson(),
    ...changes,
  });
}

test('a model that was saved samples as it did before', async () => {
  const parameters = tinyParameters(backend, config);
  await save({ tensors: await parameterTensors(parameters) });
  const model = await openModelFolder(path, backend);
  expect(model.config).toEqual(config);
  const options = { prompts: ['red', ''], seed: 4 };
  const drawn = await createSampler({ backend, ...model }).drawImages(options);
  expect(drawn).toEqual(await tinySampler(backend, config).drawImages(options));
});

test('disposing frees the parameters', async () => {
  const { liveBuffers } = backend.stats();
  const model = await openModelFolder(path, backend);
  expect(backend.stats().liveBuffers).toBe(liveBuffers + tinyWeights(config).size);
  model.dispose();
  expect(backend.stats().liveBuffers).toBe(liveBuffers);
});

test('names the tensors that are missing, unknown, or of another shape', async () => {
  const weights = tinyWeights(config);
  weights.delete('patchOut.bias');
  weights.set('patchOut.scale', { shape: [1], data: new Float32Array(1) });
  weights.set('norm', { shape: [4, 4], data: new Float32Array(16) });
  await save({ tensors: weights });
  await expect(readModelFolder(path)).rejects.toThrow(
    /CHECKPOINT_CONTENT: .*model\.safetensors.*has no patchOut\.bias; .*has not: patchOut\.scale; norm is \[4, 4\], expected \[16\]/,
  );
});

test('a configuration of another size is told, and sizes that no file could hold are not allocated', async () => {
  await save({ config: { ...config, model: { ...config.model, feedForward: 32 } } });
  await expect(readModelFolder(path)).rejects.toThrow(/feedForward\.gate is \[24, 16\], expected \[32, 16\]/);
  await save({ config: { ...config, model: { ...config.model, layers: 1e9 } } });
  await expect(readModelFolder(path)).rejects.toThrow(/CHECKPOINT_CONTENT.*config\.json says 1000000000 layers/);
  await save({ config: { ...config, model: { ...config.model, maxPositions: 1e12 } } });
  await expect(readModelFolder(path)).rejects.toThrow(/CONFIG_INVALID.*config\.json[\s\S]*maxPositions/);
});

test.each([Number.NaN, Number.NEGATIVE_INFINITY])(
  '%d among the weights is refused by name and place',
  async (value) => {
    const weights = tinyWeights(config);
    weights.get('patchOut.bias')!.data[3] = value;
    await save({ tensors: weights });
    await expect(readModelFolder(path)).rejects.toThrow(
      new RegExp(
        `^CHECKPOINT_CONTENT: .*model\\.safetensors: patchOut\\.bias \\[\\d+\\] has ${value} at value 3\n  fix: `,
      ),
    );
  },
);

test('weights in several files are read by their index', async () => {
  const expected = (await readModelFolder(path)).tensors;
  const names = [...expected.keys()];
  const halves = { 'model-1.safetensors': names.slice(0, 5), 'model-2.safetensors': names.slice(5) };
  for (const [file, some] of Object.entries(halves)) {
    await writeFile(join(path, file), writeSafetensors(new Map(some.map((name) => [name, expected.get(name)!]))));
  }
  const weightMap = Object.entries(halves).flatMap(([file, some]) => some.map((name) => [name, file]));
  const index = JSON.stringify({ metadata: {}, weight_map: Object.fromEntries(weightMap) });
  await writeFile(join(path, 'model.safetensors.index.json'), index);
  await rm(join(path, 'model.safetensors'));
  const { tensors } = await readModelFolder(path);
  expect(new Map([...tensors].sort())).toEqual(new Map([...expected].sort()));
});

test('the folder of something else says what it is, and which to give', async () => {
  await expect(readModelFolder(folder)).rejects.toThrow(
    `CHECKPOINT_MISSING: ${folder} has no config.json\n  fix: give ${path}, which has one`,
  );
  await save({ config: { _class_name: 'AutoencoderKL', latent_channels: 4 } });
  await expect(readModelFolder(path)).rejects.toThrow(
    /^CONFIG_INVALID: .*config\.json is .* of an autoencoder \(AutoencoderKL\)/,
  );
  await save({ config: { model_type: 'llama' } });
  await expect(readModelFolder(path)).rejects.toThrow(
    /^CONFIG_INVALID: .*of a model of transformers \(llama\).*trainer train/s,
  );
  await writeFile(join(folder, 'model_index.json'), '{}');
  await expect(readModelFolder(folder)).rejects.toThrow(/^CONFIG_INVALID: .* is the folder of a pipeline of diffusers/);
});

test('foreign, missing and damaged folders are told apart', async () => {
  await expect(readModelFolder(join(folder, 'nothing'))).rejects.toThrow(/CHECKPOINT_MISSING.*nothing/);
  await rm(join(path, 'tokenizer.json'));
  await expect(readModelFolder(path)).rejects.toThrow(/CHECKPOINT_MISSING.*tokenizer\.json/);
  await save({ config: { model_type: 'llama', hidden_size: 4096 } });
  await expect(readModelFolder(path)).rejects.toThrow(/CONFIG_INVALID.*config\.json/);
  await save({});
  const file = join(path, 'model.safetensors');
  await writeFile(file, (await readFile(file)).subarray(0, 5000));
  await expect(readModelFolder(path)).rejects.toThrow(/CHECKPOINT_FORMAT.*model\.safetensors/);
  await save({ tokenizer: { version: '1.0' } });
  await expect(readModelFolder(path)).rejects.toThrow(/TOKENIZER_FORMAT.*tokenizer\.json/);
});

test('a tokenizer with more ids than the model has is refused', async () => {
  await save({
    config: { ...config, model: { ...config.model, vocabularySize: 260 } },
    tensors: tinyWeights({ ...config, model: { ...config.model, vocabularySize: 260 } }),
  });
  await expect(readModelFolder(path)).rejects.toThrow(/CHECKPOINT_CONTENT.*261 ids.*vocabulary of 260/);
});
