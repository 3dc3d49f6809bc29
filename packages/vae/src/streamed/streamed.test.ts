import { initialise } from '@transfusion/nn';
import { type Backend, flattenTree, PhiloxStream } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import {
  type AutoencoderConfig,
  autoencoderCodec,
  autoencoderSpec,
  exportWeights,
  type KlCodec,
  klConfigSchema,
  openCodec,
  type VqCodec,
  vqConfigSchema,
} from '../index.js';
import { relativeError } from '../testing/fixtures.js';
import { cropRegion, groupStatistics, pasteRegion, tileStarts } from './feature-map.js';

let backend: Backend;
beforeAll(async () => (backend = await openWasm({ threads: 2 })));
afterAll(() => backend.dispose());

const size = { height: 80, width: 48 };
const levels = { block_out_channels: [8, 8, 16], norm_num_groups: 4, latent_channels: 4, scaling_factor: 1 };
const isArray = (value: unknown): value is Float32Array => value instanceof Float32Array;

/** An image whose parts differ in brightness and detail, so that each part's statistics differ from the whole's. */
const image = Float32Array.from({ length: size.height * size.width * 3 }, (_, i) => {
  const [c, x, y] = [i % 3, Math.floor(i / 3) % size.width, Math.floor(i / 3 / size.width)];
  return Math.tanh((x + y) / 40 - 1.5) * 0.6 + 0.4 * Math.sin((x * y) / 90 + c);
});

/** Weights with gains and biases that are not 1 and 0: a bias before padding is what a careless tile gets wrong. */
function weightsOf(config: AutoencoderConfig) {
  const values = flattenTree<Float32Array>(initialise(autoencoderSpec(config), 3), isArray);
  const stream = new PhiloxStream(5);
  for (const [path, data] of values) {
    if (path.endsWith('bias') || path.includes('norm')) {
      data.forEach((value, i) => (data[i] = value + 0.3 * stream.normal()));
    }
    if (path.startsWith('quantize')) data.forEach((_, i) => (data[i] = 0.2 * stream.normal()));
  }
  return exportWeights({ config, values });
}

/** The same codec in one piece, and in tiles of about 20 x 20 pixels. */
function bothWays<Codec>(config: AutoencoderConfig): [Codec, Codec] {
  const options = { backend, config: autoencoderCodec(config), weights: weightsOf(config) };
  const tiling = { abovePixels: 1000, tileBytes: 16 * 1024 };
  return [openCodec({ ...options, tiling: null }), openCodec({ ...options, tiling })] as unknown as [Codec, Codec];
}

/** Pixels are in [-1, 1]: a step of 1 / 255 of the range is 2 / 255. */
const STEP = 2 / 255;

test.each([true, false])(
  'a KL autoencoder in tiles is the one in one piece: no seams; attention %p',
  async (attention) => {
    const config = klConfigSchema.parse({
      ...{ ...levels, mid_block_add_attention: attention, layers_per_block: 2 },
      ...{ use_quant_conv: attention, use_post_quant_conv: attention },
    });
    const [whole, tiled] = bothWays<KlCodec>(config);
    const [expected] = await whole.encodePosterior({ ...size, images: [image] });
    const [posterior] = await tiled.encodePosterior({ ...size, images: [image] });
    expect(relativeError(posterior.mean, expected.mean)).toBeLessThan(1e-5);
    expect(relativeError(posterior.logVariance, expected.logVariance)).toBeLessThan(1e-5);
    const latents = [expected.mean, expected.mean.map((value) => -value)];
    const decoded = await whole.decode({ ...size, latents });
    const inTiles = await tiled.decode({ ...size, latents });
    inTiles.forEach((each, i) => {
      const difference = each.reduce((most, value, at) => Math.max(most, Math.abs(value - decoded[i][at])), 0);
      expect(difference).toBeLessThan(STEP / 100);
      expect(relativeError(each, decoded[i])).toBeLessThan(1e-5);
    });
    // The pictures are no constants.
    expect(Math.max(...decoded[0]) - Math.min(...decoded[0])).toBeGreaterThan(50 * STEP);
    whole.dispose();
    tiled.dispose();
  },
);

test('a VQ autoencoder in tiles gives the same token ids and images', async () => {
  const [whole, tiled] = bothWays<VqCodec>(vqConfigSchema.parse({ ...levels, num_vq_embeddings: 64 }));
  const codes = await whole.encodeCodes({ ...size, images: [image] });
  expect(new Set(codes[0]).size).toBeGreaterThan(4);
  expect(await tiled.encodeCodes({ ...size, images: [image] })).toEqual(codes);
  const [[expected], [found]] = [
    await whole.decodeCodes({ ...size, codes }),
    await tiled.decodeCodes({ ...size, codes }),
  ];
  expect(relativeError(found, expected)).toBeLessThan(1e-5);
  whole.dispose();
  tiled.dispose();
});

test('memory is told beforehand, kept, and given back: the device needs a tile, not the image', async () => {
  const config = klConfigSchema.parse({ ...levels, mid_block_add_attention: false });
  const [whole, tiled] = bothWays<KlCodec>(config);
  const idle = backend.stats().liveBytes;
  const [inOne, inTiles] = [await whole.memory(size), await tiled.memory(size)];
  expect(inTiles.decode.deviceBytes).toBeLessThan(inOne.decode.deviceBytes / 3);
  expect(inTiles.encode.deviceBytes).toBeLessThan(inOne.encode.deviceBytes / 3);
  // Eight channels of the image's size, before and after a convolution, and what a residual block adds in the end.
  expect(inTiles.decode.hostBytes).toBe(3 * 8 * 4 * size.height * size.width);

  // The whole codec keeps its compiled functions; what `tiled` had compiled is gone.
  whole.dispose();
  await Promise.resolve();
  const before = backend.stats().liveBytes;
  expect(before).toBeLessThan(idle);
  let most = 0;
  const { load } = backend;
  backend.load = async (...program) => {
    const loaded = await load.apply(backend, program);
    most = Math.max(most, backend.stats().liveBytes - before);
    return loaded;
  };
  await tiled.decode({ ...size, latents: [new Float32Array(20 * 12 * 4)] });
  backend.load = load;
  // Inputs and constants come on top of the scratch memory.
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThan(3 * inTiles.decode.deviceBytes);
  expect(backend.stats().liveBytes).toBe(before);
  tiled.dispose();
});

describe('maps', () => {
  const map = { height: 3, width: 4, channels: 2, data: Float32Array.from({ length: 24 }, (_, i) => i + 1) };

  test('regions are cut with zeros beyond the map, and written back', () => {
    const corner = cropRegion(map, { top: -1, left: 2, height: 3, width: 3 });
    expect([...corner]).toEqual([0, 0, 0, 0, 0, 0, 5, 6, 7, 8, 0, 0, 13, 14, 15, 16, 0, 0]);
    const region = { top: 1, left: 1, height: 2, width: 2 };
    const target = { ...map, data: new Float32Array(24) };
    pasteRegion(target, region, cropRegion(map, region));
    expect([...target.data.slice(8, 16)]).toEqual([0, 0, 11, 12, 13, 14, 0, 0]);
    expect(cropRegion(map, { top: 0, left: 9, height: 1, width: 1 })).toEqual(new Float32Array(2));
  });

  test('tiles cover an axis', () => {
    expect(tileStarts(8, 8)).toEqual([0]);
    expect(tileStarts(20, 8)).toEqual([0, 8, 12]);
  });

  test('statistics are those of all positions of a group', () => {
    const { mean, rstd } = groupStatistics(map, 2, 0);
    expect([...mean]).toEqual([12, 13]);
    // The variance of n numbers two apart is 4 (n^2 - 1) / 12.
    expect(rstd[0]).toBeCloseTo(1 / Math.sqrt((4 * 143) / 12), 6);
    expect([...groupStatistics(map, 1, 0).mean]).toEqual([12.5, 12.5]);
  });
});
