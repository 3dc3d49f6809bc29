/** @file Model folders with an autoencoder in `vae/`. */
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { saveModelFolder, type TensorMap } from '@transfusion/checkpoint/node';
import { nextTask } from '@transfusion/core';
import type { Backend } from '@transfusion/tensor';
import { type AutoencoderConfig, type ImageCodec, openCodec } from '@transfusion/vae';
import { openWasm } from '@transfusion/wasm';
import { createSampler, type Sampler } from '../index.js';
import { tinyCodecWeights, tinyKl, tinyLatentConfig, tinyVq } from '../testing/tiny-codec.js';
import { byteTokenizer, testPicture, tinyParameters, tinyWeights } from '../testing/tiny-model.js';
import { loadModel, openModelFolder, readModelFolder } from './index.js';

// A dozen functions are compiled in each of the first tests.

let folder: string;
let path: string;
let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
});
afterAll(() => backend.dispose());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-latent-model-'));
  path = join(folder, 'model');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** `vae`: what differs from the folder that a training writes; null: it has none. */
function save(autoencoder: AutoencoderConfig, vae: { config?: unknown; tensors?: TensorMap } | null = {}) {
  const config = tinyLatentConfig(autoencoder);
  return saveModelFolder({
    ...{ path, config, tensors: tinyWeights(config), tokenizer: byteTokenizer().toJson() },
    vae: vae === null ? undefined : { config: autoencoder, tensors: tinyCodecWeights(autoencoder), ...vae },
  });
}

/** Calls `use` with a sampler that no folder had a part in. */
async function inMemory<T>(autoencoder: AutoencoderConfig, seed: number, use: (sampler: Sampler) => Promise<T>) {
  const config = tinyLatentConfig(autoencoder);
  const weights = tinyCodecWeights(autoencoder, seed);
  const codec: ImageCodec = openCodec({ backend, config: config.codec, weights });
  const parts = { config, parameters: tinyParameters(backend, config), tokenizer: byteTokenizer(), codec };
  const result = await use(createSampler({ backend, ...parts }));
  codec.dispose();
  return result;
}

const images = [0, 1, 2].map((seed) => testPicture(seed));
const draw = (sampler: Sampler) => sampler.drawImages({ prompts: ['red', 'blue', ''], seed: 4, steps: 2 });
const drawAndCaption = async (sampler: Sampler) => ({
  drawn: await draw(sampler),
  captions: await sampler.captionImages({ images, maxTokens: 4 }),
});

test('KL: draws and captions as the same model and autoencoder in memory', async () => {
  await save(tinyKl);
  const model = await openModelFolder(path, backend);
  expect(model.codec.config).toEqual({ kind: 'kl', autoencoder: tinyKl });
  const { drawn, captions } = await drawAndCaption(createSampler({ backend, ...model }));
  model.dispose();
  expect(drawn.map(({ data }) => data.length)).toEqual([48, 48, 48]);
  expect({ drawn, captions }).toEqual(await inMemory(tinyKl, 1, drawAndCaption));
  // Both depend on the autoencoder's weights, and captions on the image.
  const other = await inMemory(tinyKl, 2, drawAndCaption);
  expect(drawn).not.toEqual(other.drawn);
  expect(captions).not.toEqual(other.captions);
  expect(new Set(captions).size).toBeGreaterThan(1);
});

test('VQ: draws as the same model and autoencoder in memory', async () => {
  await save(tinyVq);
  const model = await openModelFolder(path, backend);
  expect(model.codec.config).toEqual({ kind: 'vq', autoencoder: tinyVq });
  const drawn = await draw(createSampler({ backend, ...model }));
  expect(drawn).toEqual(await inMemory(tinyVq, 1, draw));
  expect(drawn).not.toEqual(await inMemory(tinyVq, 2, draw));
  model.dispose();
});

test('an autoencoder in f16 is read as the values it was rounded to', async () => {
  const tensors = tinyCodecWeights(tinyKl);
  const halves: TensorMap = new Map([...tensors].map(([name, tensor]) => [name, { ...tensor, dtype: 'F16' }]));
  await save(tinyKl, { tensors: halves });
  const { vae } = await readModelFolder(path);
  const name = 'encoder.conv_in.weight';
  const [exact, read] = [tensors.get(name)!.data, vae!.weights.get(name)!.data];
  expect(read).not.toEqual(exact);
  read.forEach((value, i) => expect(Math.abs(value - exact[i])).toBeLessThanOrEqual(2 ** -11 * Math.abs(exact[i])));
});

test('disposing frees the codec too', async () => {
  await save(tinyKl);
  const before = backend.stats();
  const model = await openModelFolder(path, backend);
  const sampler = createSampler({ backend, ...model });
  await draw(sampler);
  sampler.dispose();
  model.dispose();
  // What is kept inside of what is kept is freed a little later.
  await nextTask();
  expect(backend.stats()).toMatchObject({ liveBytes: before.liveBytes, liveBuffers: before.liveBuffers });
});

test('an autoencoder that was never read is missed before anything is put on the backend', async () => {
  await save(tinyKl);
  const { vae, ...rest } = await readModelFolder(path);
  const { liveBuffers } = backend.stats();
  expect(() => loadModel(rest, backend)).toThrow(/CODEC_WEIGHTS: .*'kl' needs weights/);
  expect(backend.stats().liveBuffers).toBe(liveBuffers);
  loadModel({ ...rest, vae }, backend).dispose();
});

test('read beside a busy writer, model and autoencoder are of one version', async () => {
  const config = tinyLatentConfig(tinyKl);
  const [tensors, weights] = [tinyWeights(config), tinyCodecWeights(tinyKl)];
  const saveVersion = (version: number) => {
    const mark = <T extends { data: Float32Array }>(tensor: T) => ({ ...tensor, data: tensor.data.map(() => version) });
    return saveModelFolder({
      ...{ path, config, tokenizer: byteTokenizer().toJson() },
      tensors: new Map([...tensors].map(([name, tensor]) => [name, mark(tensor)])),
      vae: { config: tinyKl, tensors: new Map([...weights].map(([name, tensor]) => [name, mark(tensor)])) },
    });
  };
  await saveVersion(0);
  let writing = true;
  const writer = (async () => {
    for (let version = 1; version <= 15; version++) await saveVersion(version);
  })().finally(() => (writing = false));
  const seen = new Set<number>();
  while (writing) {
    const { tensors: read, vae } = await readModelFolder(path);
    const versions = new Set([...read.values(), ...vae!.weights.values()].flatMap(({ data }) => [...data]));
    expect(versions.size).toBe(1);
    for (const version of versions) seen.add(version);
  }
  await writer;
  expect(seen.size).toBeGreaterThan(2);
});

describe('refused when the folder is read', () => {
  test('no vae/, no weights in it', async () => {
    await save(tinyKl, null);
    await expect(readModelFolder(path)).rejects.toThrow(`CHECKPOINT_MISSING: ${path} has no vae/config.json`);
    await save(tinyKl);
    await rm(join(path, 'vae', 'diffusion_pytorch_model.safetensors'));
    await expect(readModelFolder(path)).rejects.toThrow(
      /^CODEC_FOLDER: .*model\/vae\/diffusion_pytorch_model\.safetensors/,
    );
  });

  test.each<[string, object, RegExp]>([
    ['a number', { ...tinyKl, scaling_factor: 1 }, /scaling_factor is 1, .*scaling_factor of .* is 16/],
    ['a list', { ...tinyKl, block_out_channels: [8, 8, 8] }, /block_out_channels is \[8,8,8\], .* is \[8,8\]/],
    ['a field that one has not', { ...tinyKl, down_block_types: Array(2).fill('DownEncoderBlock2D') }, /is missing/],
    ['the class', tinyVq, /_class_name is "VQModel", .* is "AutoencoderKL"/],
  ])('a vae/config.json that differs in %s, before any weights are read', async (_, config, message) => {
    await save(tinyKl, { config });
    for (const file of ['model.safetensors', 'vae/diffusion_pytorch_model.safetensors'])
      await writeFile(join(path, file), 'torn');
    await expect(readModelFolder(path)).rejects.toThrow(/^CHECKPOINT_CONTENT: .*vae\/config\.json: /);
    await expect(readModelFolder(path)).rejects.toThrow(message);
  });

  test("but not one with another of diffusers' notes, or with defaults left out", async () => {
    const { force_upcast, act_fn, ...least } = tinyKl;
    await save(tinyKl, { config: { ...least, _diffusers_version: '0.30.0' } });
    expect((await readModelFolder(path)).config.codec).toEqual({ kind: 'kl', autoencoder: tinyKl });
  });

  test('a vae/config.json that is none', async () => {
    await save(tinyKl, { config: { ...tinyKl, latent_chanels: 4 } });
    await expect(readModelFolder(path)).rejects.toThrow(
      /^CODEC_CONFIG: .*vae\/config\.json has a problem:\n {2}latent_chanels: unknown key/,
    );
    await writeFile(join(path, 'vae', 'config.json'), '{');
    await expect(readModelFolder(path)).rejects.toThrow(/^CHECKPOINT_FORMAT: .*vae\/config\.json is not JSON/);
  });

  test('weights of another number of channels', async () => {
    await save(tinyKl, { tensors: tinyCodecWeights({ ...tinyKl, latent_channels: 8 }) });
    await expect(readModelFolder(path)).rejects.toThrow(
      /^CODEC_WEIGHTS: .*vae\/diffusion_pytorch_model\.safetensors: encoder\.conv_out\.weight is \[16, 8, 3, 3\], config\.json makes it \[8, 8, 3, 3\]/,
    );
  });

  test('truncated weights', async () => {
    await save(tinyKl);
    const file = join(path, 'vae', 'diffusion_pytorch_model.safetensors');
    const { length } = await readFile(file);
    for (const kept of [length - 1, 100, 0]) {
      await truncate(file, kept);
      await expect(readModelFolder(path)).rejects.toThrow(
        /^CHECKPOINT_FORMAT: .*vae\/diffusion_pytorch_model\.safetensors/,
      );
    }
  });
});
