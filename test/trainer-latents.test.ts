/** @file Training on an autoencoder's latents: encoded at the start or kept in a folder, which survives being killed. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createSampler } from '@transfusion/sampler';
import { openModelFolder } from '@transfusion/sampler/node';
import { encodeVariants, LatentMeter } from '@transfusion/training';
import { readLatents, readLatentsFile } from '@transfusion/training/node';
import { type CodecConfig, openCodec, scaleDistribution } from '@transfusion/vae';
import { openWasm } from '@transfusion/wasm';
import { loadExamples } from '../apps/trainer/src/data/examples';
import { transfusionKind } from '../apps/trainer/src/kinds/transfusion';
import {
  abortedAtLook,
  checkpointHash,
  quietProgress,
  temporaryFolder,
  tiny,
  tinyVae,
  trainer,
} from './support/trainer';

quietProgress();
const folder = temporaryFolder();
const runs = join(folder, 'runs');
const codec = join(runs, 'vae', 'model');
/** Two files of latents. */
const pictures = { 'data.demoSet': null, 'data.count': 600, 'data.heldOutFraction': 0.1 };
const onLatents = { codec, patchSize: 2, steps: 4, 'diffusion.clampSample': 4 };

const set = (fields: Record<string, unknown>) =>
  Object.entries(fields).flatMap(([key, value]) => [
    '--set',
    `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  ]);
const encodeArguments = (out: string, fields: Record<string, unknown> = {}) => [
  ...['encode', '--preset', 'tiny', '--runs', runs, '--backend', 'wasm', '--out', out],
  ...set({ codec, ...pictures, ...fields }),
];

function hashes(path: string): Record<string, string> {
  const hash = (name: string) =>
    createHash('sha256')
      .update(readFileSync(join(path, name)))
      .digest('hex');
  return Object.fromEntries(
    readdirSync(path)
      .sort()
      .map((name) => [name, hash(name)]),
  );
}

function difference(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
}

beforeAll(async () => {
  expect((await trainer(tinyVae(runs, 'vae', { steps: 2, 'loss.adversarial': 0 }))).code).toBe(0);
  const { code, text } = await trainer(encodeArguments(join(folder, 'latents')));
  expect({ code, text }).toMatchObject({
    code: 0,
    text: expect.stringContaining('600 pictures and their mirror images'),
  });
});

test('killed in the middle and started again, encode writes the same bytes', async () => {
  const out = join(folder, 'killed');
  const cli = resolve('apps/trainer/dist/cli.js');
  const child = spawn(process.execPath, [cli, ...encodeArguments(out)], { stdio: 'ignore' });
  const ended = new Promise((done) => child.on('close', done));
  const first = join(out, 'latents-00000.safetensors');
  while (!existsSync(first) && child.exitCode === null && child.signalCode === null)
    await new Promise((done) => setTimeout(done, 2));
  child.kill('SIGKILL');
  await ended;
  expect(existsSync(first)).toBe(true);
  expect(existsSync(join(out, 'latents.json'))).toBe(false);
  const { code, text } = await trainer(encodeArguments(out));
  expect({ code, text }).toMatchObject({ code: 0, text: expect.stringContaining('1 files were there already') });
  expect(hashes(out)).toEqual(hashes(join(folder, 'latents')));
});

test('told to stop, encode leaves after the file in progress', async () => {
  const out = join(folder, 'stopped');
  const { code, text } = await trainer(encodeArguments(out), abortedAtLook(2));
  expect([code, text]).toEqual([0, expect.stringContaining('goes on from here')]);
  expect(readdirSync(out)).toEqual(['latents-00000.safetensors']);
});

test('latents of other pictures, or of another autoencoder, are refused', async () => {
  const out = join(folder, 'latents');
  const other = await trainer(encodeArguments(out, { 'data.count': 599 }));
  expect([other.code, other.text]).toEqual([
    2,
    expect.stringContaining('of other pictures, or of another autoencoder'),
  ]);
  const run = { ...onLatents, ...pictures, 'data.count': 620, 'data.latents': out };
  const { code, text } = await trainer(tiny(runs, 'foreign', run));
  expect([code, text]).toEqual([
    2,
    expect.stringMatching(/LATENTS_FOREIGN.*\d+ of the run's 620 pictures are not in it/),
  ]);
  const none = await trainer(tiny(runs, 'none', { ...run, 'data.latents': join(folder, 'nowhere') }));
  expect([none.code, none.text]).toEqual([2, expect.stringContaining('trainer encode')]);
  for (const name of ['foreign', 'none']) expect(existsSync(join(runs, name))).toBe(false);
});

test('a run on a folder of latents trains, resumes to the same bits, and needs the autoencoder no more', async () => {
  const run = { ...onLatents, ...pictures, 'data.latents': join(folder, 'latents'), 'data.flip': true };
  expect((await trainer(tiny(runs, 'cached', run))).code).toBe(0);
  expect((await trainer(tiny(runs, 'cached-stopped', run), abortedAtLook(3))).code).toBe(0);
  const resumed = await trainer([
    'train',
    '--resume',
    join(runs, 'cached-stopped'),
    '--runs',
    runs,
    '--backend',
    'wasm',
  ]);
  expect(resumed.code).toBe(0);
  expect(checkpointHash(join(runs, 'cached-stopped'))).toEqual(checkpointHash(join(runs, 'cached')));

  const backend = await openWasm({ threads: 2 });
  const model = await openModelFolder(join(runs, 'cached', 'model'), backend);
  try {
    expect(model.config.codec.kind).toBe('kl');
    // The scale that was measured on all pictures, not that of the autoencoder's folder.
    const measured = JSON.parse(readFileSync(join(folder, 'latents', 'latents.json'), 'utf8')).autoencoder;
    expect(model.config.codec).toEqual({ kind: 'kl', autoencoder: measured });
    const [image] = await createSampler({ backend, ...model }).drawImages({ prompts: ['x'], steps: 2, seed: 1 });
    expect(image).toMatchObject({ width: 16, height: 16 });
    expect(image.data).toHaveLength(16 * 16 * 3);
  } finally {
    model.dispose();
    await backend.dispose();
  }
});

test.each(['kl', 'vq'])(
  '%s latents from a folder are those that the saved autoencoder gives, of both mirror images',
  async (kind) => {
    const name = `numbers-${kind}`;
    const own = { ...pictures, 'data.count': 20 };
    const model = kind === 'kl' ? codec : join(runs, 'vae-vq', 'model');
    if (kind === 'vq') {
      const overrides = { block_out_channels: [16, 32], norm_num_groups: 8, num_vq_embeddings: 32 };
      const vq = { steps: 2, 'loss.adversarial': 0, 'autoencoder.kind': 'vq', 'autoencoder.overrides': overrides };
      expect((await trainer(tinyVae(runs, 'vae-vq', vq))).code).toBe(0);
    }
    const out = join(folder, name);
    expect((await trainer(encodeArguments(out, { ...own, codec: model }))).code).toBe(0);
    const fields = { ...onLatents, ...own, codec: model, steps: 1, 'data.latents': out, 'data.flip': true };
    expect((await trainer(tiny(runs, name, fields))).code).toBe(0);

    const { state, codec: stored } = await transfusionKind.load(join(runs, name));
    const { images } = await loadExamples(state.config, { cacheFolder: join(folder, '.cache', 'data') });
    const backend = await openWasm({ threads: 2 });
    const saved = openCodec({ ...stored!, backend });
    try {
      const file = await readLatentsFile(out);
      const { autoencoder } = stored!.config as Exclude<CodecConfig, { kind: 'pixels' }>;
      const read = await readLatents(out, file, { codec: stored!, images, flip: true });
      const kept = read.map((variants) => variants.map((each) => scaleDistribution(autoencoder, each)));
      const encoded = await encodeVariants(saved, images, true);
      expect(kept).toHaveLength(20);
      const meter = new LatentMeter(file.shape.channels);
      kept.forEach((variants, i) => {
        expect(variants).toHaveLength(2);
        variants.forEach(({ mean, deviation }, variant) => {
          expect(difference(mean, encoded[i][variant].mean)).toBeLessThan(1e-4);
          if (kind === 'kl') expect(difference(deviation!, encoded[i][variant].deviation!)).toBeLessThan(1e-4);
          meter.add({ mean, deviation });
        });
        expect(difference(variants[0].mean, variants[1].mean)).toBeGreaterThan(kind === 'kl' ? 1e-3 : -1);
      });
      const { mean, deviation } = meter.read();
      const square = mean.reduce((sum, each, c) => sum + each ** 2 + deviation[c] ** 2, 0) / mean.length;
      expect(Math.abs(square - 1)).toBeLessThan(1e-3);
    } finally {
      saved.dispose();
      await backend.dispose();
    }
  },
);

test('without a folder, latents are encoded at the start', async () => {
  const run = { ...onLatents, 'data.demoSet': 8 };
  expect((await trainer(tiny(runs, 'encoded', run))).code).toBe(0);
  expect(JSON.parse(readFileSync(join(runs, 'encoded', 'model', 'vae', 'config.json'), 'utf8'))).toEqual(
    JSON.parse(readFileSync(join(codec, 'config.json'), 'utf8')),
  );
  expect((await trainer(tiny(runs, 'encoded-stopped', run), abortedAtLook(3))).code).toBe(0);
  const goOn = ['train', '--resume', join(runs, 'encoded-stopped'), '--runs', runs, '--backend', 'wasm'];
  expect((await trainer(goOn)).code).toBe(0);
  expect(checkpointHash(join(runs, 'encoded-stopped'))).toEqual(checkpointHash(join(runs, 'encoded')));
  const more = ['train', '--resume', join(runs, 'encoded'), '--runs', runs, '--backend', 'wasm', '--set', 'steps=5'];
  expect((await trainer(more)).code).toBe(0);
});

test.each<[string, Record<string, unknown>, RegExp]>([
  [
    'patches that do not divide the latents',
    { patchSize: 3 },
    /16 x 16 has latents of 8 x 8 \(codec: kl\).*patches of 3 x 3/,
  ],
  ['images that the autoencoder does not take', { 'data.imageSize': 15 }, /15 x 15; both must be multiples of 2/],
  ['a codec that is not there', { codec: 'nowhere' }, /no folder nowhere, and no model of that name/],
  ['a codec that is no autoencoder', { codec: folder }, /config\.json/],
])('%s: refused by name before any work', async (_, fields, message) => {
  const { code, text } = await trainer(tiny(runs, 'refused', { ...onLatents, ...fields }));
  expect(text).toMatch(message);
  expect(code).toBe(2);
  expect(existsSync(join(runs, 'refused'))).toBe(false);
});

test('a folder of latents without an autoencoder is refused', async () => {
  const { code, text } = await trainer(tiny(runs, 'refused', { 'data.latents': join(folder, 'latents') }));
  expect([code, text]).toEqual([2, expect.stringContaining('CONFIG_LATENTS')]);
});

test('latents of an autoencoder of another architecture are refused', async () => {
  const overrides = { block_out_channels: [16, 16], norm_num_groups: 8, latent_channels: 4 };
  const wanted = { steps: 1, 'loss.adversarial': 0, 'autoencoder.overrides': overrides };
  expect((await trainer(tinyVae(runs, 'vae-other', wanted))).code).toBe(0);
  const run = {
    ...onLatents,
    ...pictures,
    codec: join(runs, 'vae-other', 'model'),
    'data.latents': join(folder, 'latents'),
  };
  const { code, text } = await trainer(tiny(runs, 'refused', run));
  expect([code, text]).toEqual([2, expect.stringContaining('LATENTS_FOREIGN')]);
});

test('encode without an autoencoder says what to do', async () => {
  const { code, text } = await trainer(['encode', '--preset', 'tiny', '--out', join(folder, 'x'), '--runs', runs]);
  expect([code, text]).toEqual([2, expect.stringContaining('--set codec=')]);
});
