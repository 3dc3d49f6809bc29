/** @file Autoencoders from the trainer: saving, resuming through the discriminator's start, codebooks, export. */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensorsHeader, writeSafetensors } from '@transfusion/checkpoint';
import { openCheckpoint, readMetrics } from '@transfusion/checkpoint/node';
import { openCodec, readCodecFolder } from '@transfusion/vae';
import { openWasm } from '@transfusion/wasm';
import { loadAutoencoderRun } from '../apps/trainer/src/autoencoder/run-folder';
import { loadImages } from '../apps/trainer/src/autoencoder/session';
import { encodeVariants } from '../apps/trainer/src/latents/example-latents';
import { LatentMeter } from '../apps/trainer/src/latents/statistics';
import {
  abortedAtLook,
  checkpointHash,
  quietProgress,
  temporaryFolder,
  tinyVae,
  trainer,
  trainerState,
} from './support/trainer';

quietProgress();
const folder = temporaryFolder();
const runs = join(folder, 'runs');
/** The discriminator starts in the middle. */
const steps = { steps: 6, logEvery: 1, 'loss.adversarialStart': 3 };
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
}, 120_000);

test('a run leaves an autoencoder, metrics of every term, grids, and a loss that falls', async () => {
  const metrics = await readMetrics(join(runs, 'whole', 'metrics.jsonl'));
  const steps = metrics.filter((line) => 'l1' in line);
  expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(Number(steps[5].l1)).toBeLessThan(Number(steps[0].l1));
  expect(Object.keys(steps[2])).toEqual(expect.arrayContaining(['l1', 'kl', 'imagesPerSecond', 'gradientNorm']));
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
  120_000,
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
}, 120_000);

test('the saved scale gives latents of mean 0 and deviation 1 in every channel', async () => {
  const { state } = await loadAutoencoderRun(join(runs, 'whole'));
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

test('export writes f16 without the optimizer, and reconstruct scores what was held out', async () => {
  const out = join(folder, 'exported');
  expect((await trainer(['export', '--run', join(runs, 'whole'), '--out', out])).code).toBe(0);
  const weights = readFileSync(join(out, 'model.safetensors'));
  expect(new Set(readSafetensorsHeader(weights, 'exported').tensors.map(({ dtype }) => dtype))).toEqual(
    new Set(['F16']),
  );
  expect(weights.length).toBeLessThan(statSync(join(runs, 'whole', 'model', 'model.safetensors')).size * 0.55);
  expect(existsSync(join(out, 'optimizer.safetensors'))).toBe(false);
  expect(JSON.parse(readFileSync(join(out, 'training.json'), 'utf8'))).toMatchObject({ step: 6, config: { seed: 0 } });

  const png = join(folder, 'grid.png');
  const scored = await trainer(['reconstruct', '--model', out, '--out', png, '--runs', runs, '--backend', 'wasm']);
  expect(scored).toMatchObject({ code: 0, text: expect.stringMatching(/6 held-out pictures: PSNR/) });
  expect(readFileSync(png).subarray(1, 4).toString()).toBe('PNG');

  const again = await trainer(['export', '--run', join(runs, 'whole'), '--out', out]);
  expect(again).toMatchObject({ code: 2, text: expect.stringContaining('is not empty') });
}, 120_000);

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
    ['LPIPS weights that are not there', { 'loss.lpipsWeights': 'nowhere.safetensors' }, /nowhere\.safetensors/],
  ])('%s', async (_, set, message) => {
    const { code, text } = await trainer(tinyVae(runs, 'refused', set));
    expect(text).toMatch(message);
    expect(code).toBe(2);
    expect(existsSync(join(runs, 'refused'))).toBe(false);
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
    const other = await trainer(['train', '--resume', join(runs, 'whole'), '--backend', 'wasm']);
    expect([other.code, other.text]).toEqual([2, expect.stringContaining('trainer_state.json')]);
    mkdirSync(join(runs, 'empty'), { recursive: true });
    expect((await resume('empty')).code).toBe(2);
  });
});
