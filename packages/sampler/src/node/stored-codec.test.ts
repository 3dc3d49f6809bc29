/** @file Autoencoders' folders as they are published, on disk: what `checkpoint` reads is what `vae` takes. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TensorData, writeSafetensors } from '@transfusion/checkpoint';
import { openCheckpoint, saveModelFolder } from '@transfusion/checkpoint/node';
import { importWeights, readCodecFolder } from '@transfusion/vae';
import { tinyCodecWeights, tinyKl, tinyLatentConfig } from '../testing/tiny-codec.js';
import { byteTokenizer, tinyWeights } from '../testing/tiny-model.js';
import { readModelFolder } from './index.js';

const weights = tinyCodecWeights(tinyKl);
const names = [...weights.keys()];
const fileOf = (some: readonly string[], dtype?: 'F16') =>
  writeSafetensors(new Map(some.map((name): [string, TensorData] => [name, { ...weights.get(name)!, dtype }])));

let path: string;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'transfusion-published-'));
  await writeFile(join(path, 'config.json'), `\ufeff${JSON.stringify(tinyKl)}`);
});
afterEach(() => rm(path, { recursive: true, force: true }));
const put = (name: string, content: string | Uint8Array) => writeFile(join(path, name), content);
const read = (folder = path) => openCheckpoint(folder, (reader) => readCodecFolder(reader));

test('only f16, under the name of its variant', async () => {
  const name = 'diffusion_pytorch_model.fp16.safetensors';
  await put(name, fileOf(names, 'F16'));
  const stored = await read();
  expect(stored.where).toBe(`${path}/${name}`);
  expect(stored.config).toEqual({ kind: 'kl', autoencoder: tinyKl });
  expect([...stored.weights.keys()].sort()).toEqual([...names].sort());
  // Beside the full precision, that is taken.
  await put('diffusion_pytorch_model.safetensors', fileOf(names));
  expect(new Map([...(await read()).weights].sort())).toEqual(new Map([...weights].sort()));
});

test('in several files of several dtypes, with an index', async () => {
  const index = 'diffusion_pytorch_model.safetensors.index.json';
  const files = [
    'diffusion_pytorch_model-00001-of-00002.safetensors',
    'diffusion_pytorch_model-00002-of-00002.safetensors',
  ];
  const weightMap = Object.fromEntries(names.map((name, i) => [name, files[i % 2]]));
  await put(index, JSON.stringify({ weight_map: weightMap }));
  await put(files[0], fileOf(names.filter((_, i) => i % 2 === 0)));
  await expect(read()).rejects.toThrow(
    `CHECKPOINT_MISSING: ${join(path, index)} names 2 files of weights, missing: ${files[1]}`,
  );
  await put(
    files[1],
    fileOf(
      names.filter((_, i) => i % 2 === 1),
      'F16',
    ),
  );
  const stored = await read();
  const values = importWeights({ config: tinyKl, tensors: stored.weights, where: stored.where });
  const exact = importWeights({ config: tinyKl, tensors: weights });
  for (const [name, data] of values) {
    const error = data.reduce((most, value, i) => Math.max(most, Math.abs(value - exact.get(name)![i])), 0);
    expect(error).toBeLessThan(1e-3);
  }
  expect(values.get(names[0])).toEqual(exact.get(names[0]));
});

test("a pipeline's folder, and a file in place of a folder", async () => {
  await mkdir(join(path, 'vae'));
  await put('vae/config.json', JSON.stringify(tinyKl));
  await put('vae/diffusion_pytorch_model.safetensors', fileOf(names));
  await put('model_index.json', '{"_class_name": "StableDiffusionPipeline"}');
  await rm(join(path, 'config.json'));
  expect((await read()).where).toBe(`${path}/vae/diffusion_pytorch_model.safetensors`);
  await expect(read(join(path, 'vae/diffusion_pytorch_model.safetensors'))).rejects.toThrow(
    `give its folder, ${path}/vae`,
  );
});

test.each<[string, string, RegExp]>([
  ['diffusion_pytorch_model.bin', 'PK', /^CODEC_FOLDER: .*diffusion_pytorch_model\.bin, a pickle/],
  [
    'diffusion_pytorch_model.safetensors',
    'version https://git-lfs.github.com/spec/v1\n',
    /^CHECKPOINT_FORMAT: .*git lfs pull/s,
  ],
  ['diffusion_pytorch_model.safetensors', '<!doctype html><html>', /^CHECKPOINT_FORMAT: .*a web page/],
])('%s that cannot be read: why', async (name, content, message) => {
  await put(name, content);
  await expect(read()).rejects.toThrow(message);
});

test('one NaN in the autoencoder of a model folder is refused when the folder is read', async () => {
  const config = tinyLatentConfig(tinyKl);
  const bias = weights.get('decoder.conv_out.bias')!;
  const tensors = new Map(weights).set('decoder.conv_out.bias', { ...bias, data: Float32Array.of(0, Number.NaN, 0) });
  const model = join(path, 'model');
  await saveModelFolder({
    ...{ path: model, config, tensors: tinyWeights(config), tokenizer: byteTokenizer().toJson() },
    vae: { config: tinyKl, tensors },
  });
  await expect(readModelFolder(model)).rejects.toThrow(
    /^CODEC_WEIGHTS: .*vae\/diffusion_pytorch_model\.safetensors: decoder\.conv_out\.bias has NaN at value 1 of \[3\]/,
  );
});
