/** @file Autoencoders from the trainer: saving, resuming through the discriminator's start, codebooks, export. */
import { cpSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensorsHeader, type Tensors, writeSafetensors } from '@transfusion/checkpoint';
import { openCheckpoint, readMetrics, readSafetensorsFile } from '@transfusion/checkpoint/node';
import { encodeVariants, LatentMeter } from '@transfusion/training';
import { openCodec, readCodecFolder } from '@transfusion/vae';
import { openWasm } from '@transfusion/wasm';
import { autoencoderKind, loadImages } from '../apps/trainer/src/kinds/autoencoder';
import {
  abortedAtLook,
  checkpointHash,
  quietProgress,
  temporaryFolder,
  tiny,
  tinyVae,
  trainer,
  trainerState,
} from './support/trainer';

/** An autoencoder's, as diffusers calls them. */
const WEIGHTS = 'diffusion_pytorch_model.safetensors';

quietProgress();
const folder = temporaryFolder();
const runs = join(folder, 'runs');
/** The discriminator starts in the middle. */
const steps = {
  ...{ steps: 6, logEvery: 1, 'loss.adversarialStart': 3 },
  ...{ 'loss.squaredError': 2, 'loss.structuralSimilarity': 0.5 },
};
const vq = {
  ...steps,
  'autoencoder.kind': 'vq',
  'autoencoder.overrides': { block_out_channels: [16, 32], norm_num_groups: 8, num_vq_embeddings: 32 },
  'revival.every': 2,
};
const resume = (name: string, ...more: string[]) =>
  trainer(['vae', '--resume', join(runs, name), '--runs', runs, '--backend', 'wasm', ...more]);

beforeAll(async () => {
  const outcome = await trainer(tinyVae(runs, 'whole', { ...steps, sample: { every: 4, images: 3 } }));
  expect(outcome).toMatchObject({ code: 0, text: expect.stringMatching(/6 held-out pictures: PSNR [\d.]+ dB, SSIM/) });
  expect(outcome.text).toContain('LPIPS is off');
});

test('a run leaves an autoencoder, metrics of every term, grids, and a loss that falls', async () => {
  const metrics = await readMetrics(join(runs, 'whole', 'metrics.jsonl'));
  const steps = metrics.filter((line) => 'l1' in line);
  expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(Number(steps[5].l1)).toBeLessThan(Number(steps[0].l1));
  expect(Object.keys(steps[2])).toEqual(
    expect.arrayContaining(['l1', 'squaredError', 'ssim', 'kl', 'imagesPerSecond', 'gradientNorm']),
  );
  expect(steps.map((line) => 'discriminator' in line)).toEqual([false, false, false, true, true, true]);
  expect(metrics.find((line) => 'heldOut' in line)?.heldOut).toMatchObject({ images: 6 });
  for (const name of ['samples/step-4.png', 'reconstructions.png']) {
    expect(
      readFileSync(join(runs, 'whole', name))
        .subarray(1, 4)
        .toString(),
    ).toBe('PNG');
  }
});

test.each([
  ['KL', 'whole', steps],
  ['VQ', 'whole-vq', vq],
])(
  'a %s run that was told to stop ends at the same bits, on another number of threads too',
  async (kind, whole, set) => {
    if (kind === 'VQ') expect((await trainer(tinyVae(runs, whole, set))).code).toBe(0);
    for (const stopAt of [3, 6]) {
      const name = `${whole}-${stopAt}`;
      expect((await trainer(tinyVae(runs, name, set), abortedAtLook(stopAt))).code).toBe(0);
      expect(trainerState(join(runs, name)).step).toBe(stopAt - 1);
      expect((await resume(name, '--threads', '1')).code).toBe(0);
      expect(checkpointHash(join(runs, name))).toEqual(checkpointHash(join(runs, whole)));
    }
  },
);

test('codes without use are revived: more of the codebook is used than without', async () => {
  const long = { ...vq, steps: 24, 'loss.adversarial': 0 };
  const without = { ...long, 'revival.threshold': 0 };
  const useOf = async (name: string) =>
    Number(
      (await readMetrics(join(runs, name, 'metrics.jsonl'))).findLast((line) => 'codebookUse' in line)?.codebookUse,
    );
  expect((await trainer(tinyVae(runs, 'revived', long))).code).toBe(0);
  expect((await trainer(tinyVae(runs, 'not-revived', without))).code).toBe(0);
  expect(await useOf('revived')).toBeGreaterThan(await useOf('not-revived'));
});

test('the saved scale gives latents of mean 0 and deviation 1 in every channel', async () => {
  const { state } = await autoencoderKind.load(join(runs, 'whole'));
  const { train } = await loadImages(state.config, { cacheFolder: join(folder, '.cache', 'data') });
  const backend = await openWasm({ threads: 2 });
  const stored = await openCheckpoint(join(runs, 'whole', 'model'), (reader) => readCodecFolder(reader));
  const codec = openCodec({ ...stored, backend });
  try {
    const meter = new LatentMeter(4);
    for (const [latents] of await encodeVariants(codec, train, false)) meter.add(latents);
    const { mean, deviation } = meter.read();
    for (const each of mean) expect(Math.abs(each)).toBeLessThan(1e-4);
    for (const each of deviation) expect(Math.abs(each - 1)).toBeLessThan(1e-4);
  } finally {
    codec.dispose();
    await backend.dispose();
  }
});

test('--dry-run says what the run would take, and its memory is that of the run', async () => {
  const { code, text } = await trainer([...tinyVae(runs, 'dry', { 'loss.adversarial': 0 }), '--dry-run']);
  expect(code).toBe(0);
  expect(existsSync(join(runs, 'dry'))).toBe(false);
  expect(text).toMatch(/26 to train on, 6 held out/);
  const planned = /scratch +([\d.]+) MiB/.exec(text)?.[1];
  const ran = await trainer(tinyVae(runs, 'planned', { 'loss.adversarial': 0, steps: 1 }));
  expect(ran.text).toContain(`${planned} MiB of activations and gradients`);
  expect(Number(planned)).toBeGreaterThan(1);
});

test('--dry-run counts the discriminator where it takes part', async () => {
  const scratch = async (start: number) => {
    const { text } = await trainer([...tinyVae(runs, 'dry', { 'loss.adversarialStart': start }), '--dry-run']);
    return [/scratch +([\d.]+) MiB/, /work +([\d.e+-]+) TFLOP/].map((pattern) => Number(pattern.exec(text)?.[1]));
  };
  const [[without, plainWork], [half, halfWork], [all, allWork]] = [
    await scratch(60),
    await scratch(30),
    await scratch(0),
  ];
  expect(half).toBeGreaterThan(without);
  expect(all).toBe(half);
  expect(halfWork).toBeGreaterThan(plainWork);
  expect(allWork).toBeGreaterThan(halfWork);
});

test('revived codes are those of the averaged codebook, too', async () => {
  const { values } = await autoencoderKind.load(join(runs, 'revived'));
  const [codebook, averaged] = ['parameters', 'ema'].map((part) => values.get(`${part}.quantize.embedding.weight`)!);
  const lengthOf = (codes: Float32Array, row: number) => Math.hypot(...codes.subarray(row * 8, row * 8 + 8));
  // A code that only the live codebook had moved would still be near its start, 0, in the average.
  for (let row = 0; row < 32; row++) {
    expect(lengthOf(averaged, row)).toBeGreaterThan(0.2 * lengthOf(codebook, row));
  }
});

test('export writes f16 without the optimizer, and reconstruct scores what was held out', async () => {
  const out = join(folder, 'exported');
  expect((await trainer(['export', '--run', join(runs, 'whole'), '--out', out])).code).toBe(0);
  const weights = readFileSync(join(out, WEIGHTS));
  expect(new Set(readSafetensorsHeader(weights, 'exported').tensors.map(({ dtype }) => dtype))).toEqual(
    new Set(['F16']),
  );
  expect(weights.length).toBeLessThan(statSync(join(runs, 'whole', 'model', WEIGHTS)).size * 0.55);
  expect(existsSync(join(out, 'optimizer.safetensors'))).toBe(false);
  expect(JSON.parse(readFileSync(join(out, 'training.json'), 'utf8'))).toMatchObject({ step: 6, config: { seed: 0 } });

  const png = join(folder, 'grid.png');
  const scored = await trainer(['reconstruct', '--model', out, '--out', png, '--runs', runs, '--backend', 'wasm']);
  expect(scored).toMatchObject({ code: 0, text: expect.stringMatching(/6 held-out pictures: PSNR/) });
  expect(readFileSync(png).subarray(1, 4).toString()).toBe('PNG');

  const own = ['reconstruct', '--model', join(runs, 'whole', 'model'), '--runs', runs, '--backend', 'wasm'];
  expect((await trainer(own)).text).toMatch(/20 % of emoji at 16 x 16[\s\S]*6 held-out pictures: PSNR/);

  const again = await trainer(['export', '--run', join(runs, 'whole'), '--out', out]);
  expect(again).toMatchObject({ code: 2, text: expect.stringContaining('is not empty') });
});

test('another autoencoder may be started from, where its parameters fit', async () => {
  const from = { ...vq, initialWeights: join(runs, 'whole', 'model'), steps: 1 };
  const { code, text } = await trainer(tinyVae(runs, 'started', from));
  expect(code).toBe(0);
  // All but the codebook, what projects to it and from it, and the last convolution of the encoder.
  expect(Number(/(\d+) parameters start from/.exec(text)?.[1])).toBeGreaterThan(80);
});

describe('refusals: exit 2', () => {
  test.each<[string, Record<string, unknown>, RegExp]>([
    ['an image that the levels do not divide', { 'data.imageSize': 17 }, /17 x 17; both must be multiples of 2/],
    [
      'an unknown field',
      { 'autoencoder.overrides': { latent_chanels: 4 } },
      /latent_chanels.*did you mean "latent_channels"/,
    ],
    ['groups that do not divide', { 'autoencoder.overrides': { norm_num_groups: 7 } }, /7 groups do not divide 16/],
    ['a folder that is not named', { 'data.dataset': 'folder' }, /data\.folder is not set/],
    ['weights that are not there', { initialWeights: 'nowhere' }, /no folder nowhere/],
    [
      'a discriminator that images are too small for, though it starts late',
      { 'loss.discriminatorLayers': 4, 'loss.adversarialStart': 50 },
      /DISCRIMINATOR_IMAGE_SIZE.*16 x 16/,
    ],
    ['LPIPS weights that are not there', { 'loss.lpipsWeights': 'nowhere.safetensors' }, /nowhere\.safetensors/],
  ])('%s', async (_, set, message) => {
    const { code, text } = await trainer(tinyVae(runs, 'refused', set));
    expect(text).toMatch(message);
    expect(code).toBe(2);
    expect(existsSync(join(runs, 'refused'))).toBe(false);
  });

  test.each<[string, (tensors: Tensors) => void, RegExp]>([
    ['without a tensor', (tensors) => tensors.delete('m.decoder.conv_in.bias'), /m\.decoder\.conv_in\.bias is missing/],
    [
      'with one too many',
      (tensors) => tensors.set('x', { shape: [1], data: new Float32Array(1) }),
      /x is not a tensor/,
    ],
    [
      'with one of another size',
      (tensors) => tensors.set('v.decoder.conv_in.bias', { shape: [1], data: new Float32Array(1) }),
      /v\.decoder\.conv_in\.bias has 1 elements, the configuration asks for \[32\]/,
    ],
  ])('a checkpoint %s', async (_, change, message) => {
    const run = join(runs, 'damaged');
    cpSync(join(runs, 'whole'), run, { recursive: true });
    const path = join(run, 'model', 'optimizer.safetensors');
    const tensors = await readSafetensorsFile(path);
    change(tensors);
    writeFileSync(path, writeSafetensors(tensors));
    const { code, text } = await resume('damaged', '--set', 'steps=7');
    expect(text).toMatch(message);
    expect(code).toBe(2);
  });

  test('LPIPS weights of something else', async () => {
    const path = join(folder, 'other.safetensors');
    writeFileSync(path, writeSafetensors(new Map([['x', { shape: [1], data: new Float32Array(1) }]])));
    const { code, text } = await trainer(tinyVae(runs, 'refused', { 'loss.lpipsWeights': path }));
    expect([code, text]).toEqual([2, expect.stringContaining('vgg16.features.0.weight is missing')]);
  });

  test('a run that exists, a resumed one that is changed, and one of another kind', async () => {
    expect((await trainer(tinyVae(runs, 'whole'))).text).toContain('already holds a run');
    expect((await resume('whole', '--set', 'seed=4')).text).toContain('keeps its configuration');
    expect((await trainer(tiny(runs, 'model', { steps: 1 }))).code).toBe(0);
    expect((await resume('model')).text).toContain('RUN_KIND');
    const other = await trainer(['train', '--resume', join(runs, 'whole'), '--backend', 'wasm']);
    expect([other.code, other.text]).toEqual([2, expect.stringMatching(/RUN_KIND[\s\S]*trainer vae --resume/)]);
    mkdirSync(join(runs, 'empty'), { recursive: true });
    expect((await resume('empty')).code).toBe(2);
  });
});
