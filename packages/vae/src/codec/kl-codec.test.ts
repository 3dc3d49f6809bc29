import { type Backend, PhiloxStream } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { type KlCodec, openCodec, readCodecFolder, type StoredCodec } from '../index.js';
import { RandomPurpose } from '../random-purpose.js';
import { fixtureFolder, readGolden, relativeError } from '../testing/fixtures.js';

let backend: Backend;
beforeAll(async () => (backend = await openWasm({ threads: 1 })));
afterAll(() => backend.dispose());

const size = { height: 10, width: 8 };
const golden = readGolden('kl/expected.safetensors');
const IMAGE = 240;
/** [5, 4, 2] latents for an image. */
const LATENT = 40;
const [images, mode, mean, logvar] = [
  split('images', IMAGE),
  split('mode', IMAGE),
  split('mean', LATENT),
  split('logvar', LATENT),
];

function split(name: string, length: number): Float32Array[] {
  const { data } = golden.get(name)!;
  return Array.from({ length: data.length / length }, (_, i) => data.slice(i * length, (i + 1) * length));
}

async function open(options: object = {}, folder = 'kl'): Promise<KlCodec> {
  const stored = await readCodecFolder(fixtureFolder(folder));
  return openCodec({ backend, ...stored, ...options } as {
    backend: Backend;
    config: { kind: 'kl' };
  } & StoredCodec) as KlCodec;
}

describe('a folder as diffusers writes it', () => {
  test('is the autoencoder: mode, decoded images, and latents scaled by shift_factor and scaling_factor', async () => {
    const codec = await open();
    expect(codec.latentShape(size)).toEqual({ height: 5, width: 4, channels: 2 });
    expect(codec.scale).toBe(0.5);
    const latents = await codec.encode({ ...size, images });
    latents.forEach((each, i) => {
      const expected = mean[i].map((value) => (value - 0.25) * 0.5);
      expect(relativeError(each, expected)).toBeLessThan(1e-4);
    });
    const decoded = await codec.decode({ ...size, latents });
    decoded.forEach((each, i) => expect(relativeError(each, mode[i])).toBeLessThan(1e-4));
    codec.dispose();
  });

  test('with old names, as 1x1 convolutions in f16, under the other file name, without newer keys', async () => {
    const codec = await open({}, 'kl-old-names');
    const expected = readGolden('kl-old-names/expected.safetensors');
    const square = { height: 8, width: 8 };
    const image = expected.get('images')!.data;
    const [posterior] = await codec.encodePosterior({ ...square, images: [image] });
    expect(relativeError(posterior.mean, expected.get('mean')!.data)).toBeLessThan(1e-4);
    expect(relativeError(posterior.logVariance, expected.get('logvar')!.data)).toBeLessThan(1e-4);
    const latents = await codec.encode({ ...square, images: [image] });
    expect(
      relativeError(
        latents[0],
        posterior.mean.map((value) => value * 0.18215),
      ),
    ).toBeLessThan(1e-6);
    const [decoded] = await codec.decode({ ...square, latents });
    expect(relativeError(decoded, expected.get('mode')!.data)).toBeLessThan(1e-4);
    codec.dispose();
  });
});

describe('encoding', () => {
  test('with a seed draws from the posterior: Philox noise of the seed and the image', async () => {
    const codec = await open();
    const sample = await codec.encode({ ...size, images, seed: 42 });
    sample.forEach((each, image) => {
      const stream = new PhiloxStream(42, RandomPurpose.posterior, image);
      const expected = mean[image].map((value, i) => {
        const drawn = value + Math.exp(logvar[image][i] / 2) * stream.normal();
        return (drawn - 0.25) * 0.5;
      });
      expect(relativeError(each, expected)).toBeLessThan(1e-4);
    });
    expect(await codec.encode({ ...size, images: [images[0]], seed: 42 })).toEqual([sample[0]]);
    expect(await codec.encode({ ...size, images: [images[0]], seed: 43 })).not.toEqual([sample[0]]);
    codec.dispose();
  });

  test('latents_mean and latents_std scale each channel, both ways', async () => {
    const stored = await readCodecFolder(fixtureFolder('kl'));
    const { autoencoder } = stored.config as { autoencoder: object };
    const scaled = {
      ...autoencoder,
      shift_factor: null,
      latents_mean: [1, -2],
      latents_std: [2, 4],
      scaling_factor: 3,
    };
    const codec = await open({ config: { kind: 'kl', autoencoder: scaled } });
    const [latents] = await codec.encode({ ...size, images: [images[0]] });
    const expected = mean[0].map((value, i) => (3 * (value - [1, -2][i % 2])) / [2, 4][i % 2]);
    expect(relativeError(latents, expected)).toBeLessThan(1e-4);
    const [decoded] = await codec.decode({ ...size, latents: [latents] });
    expect(relativeError(decoded, mode[0])).toBeLessThan(1e-4);
    codec.dispose();
  });

  test('any number of images gives what each gives alone, and compiles once for each number and size', async () => {
    const codec = await open({ maxBatch: 2 });
    const five = [0, 1, 1, 0, 1].map((i) => images[i]);
    const before = backend.stats().builtKernels;
    const latents = await codec.encode({ ...size, images: five });
    const built = backend.stats().builtKernels;
    expect(built).toBeGreaterThan(before);
    const again = await Promise.all([0, 1, 2].map(() => codec.encode({ ...size, images: five })));
    expect(backend.stats().builtKernels).toBe(built);
    for (const each of again) expect(each).toEqual(latents);
    const alone = await codec.encode({ ...size, images: [five[4]] });
    expect(latents[4]).toEqual(alone[0]);
    expect(relativeError(latents[1], latents[4])).toBeLessThan(1e-5);
    expect(await codec.encode({ ...size, images: [] })).toEqual([]);
    codec.dispose();
  });
});

test('dispose gives all memory back', async () => {
  const before = backend.stats();
  const codec = await open();
  await codec.decode({ ...size, latents: await codec.encode({ ...size, images }) });
  expect(backend.stats().liveBytes).toBeGreaterThan(before.liveBytes);
  codec.dispose();
  await Promise.resolve();
  expect(backend.stats()).toMatchObject({ liveBytes: before.liveBytes, liveBuffers: before.liveBuffers });
});

describe('refused by name, before any work', () => {
  test.each<[string, RegExp, Record<string, string | undefined>]>([
    ['no config.json', /CODEC_FOLDER: there is no kl\/config\.json/, { 'config.json': undefined }],
    ['torn JSON', /CODEC_CONFIG: kl\/config\.json is not JSON/, { 'config.json': '{"in_channels": 3,' }],
    [
      'no weights',
      /CODEC_FOLDER: there is no kl\/diffusion_pytorch_model\.safetensors, and no kl\/model\.safetensors/,
      { 'diffusion_pytorch_model.safetensors': undefined },
    ],
    ['another class', /CODEC_CONFIG.*"UNet2DModel"/, { 'config.json': '{"_class_name": "UNet2DModel"}' }],
  ])('%s', async (_, message, changes) => {
    await expect(readCodecFolder(fixtureFolder('kl', changes))).rejects.toThrow(message);
  });

  test('weights of another model, no weights, bad options', async () => {
    await expect(open({ weights: new Map() })).rejects.toThrow(/CODEC_WEIGHTS: kl\/diffusion.* has no tensor encoder/);
    await expect(open({ weights: undefined })).rejects.toThrow(/CODEC_WEIGHTS: openCodec.*'kl' needs weights/);
    await expect(open({ maxBatch: 0 })).rejects.toThrow(/CODEC_OPTIONS.*maxBatch is 0/);
    await expect(open({ tiling: { tileBytes: 0.5 } })).rejects.toThrow(/CODEC_OPTIONS.*tileBytes is 0.5/);
  });

  test('sizes and arrays that do not fit', async () => {
    const codec = await open();
    expect(() => codec.latentShape({ height: 9, width: 8 })).toThrow(
      /CODEC_IMAGE_SIZE: AutoencoderKL: an image of 8 x 9; both must be multiples of 2.*fix: .*8 x 8/s,
    );
    await expect(codec.encode({ height: 10, width: 7, images })).rejects.toThrow(/CODEC_IMAGE_SIZE/);
    await expect(codec.encode({ ...size, images: [new Float32Array(80)] })).rejects.toThrow(
      /CODEC_SHAPE: kl\.encode: images\[0\] has 80 values, expected \[10, 8, 3\] = 240/,
    );
    await expect(codec.decode({ ...size, latents: [new Float32Array(80)] })).rejects.toThrow(
      /CODEC_SHAPE: kl\.decode: latents\[0\] has 80 values, expected \[5, 4, 2\] = 40.*2 channels each/s,
    );
    codec.dispose();
  });
});
