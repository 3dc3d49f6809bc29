/** @file NaN and infinities: named where they come in, and where a network makes them. */
import { initialise } from '@transfusion/nn';
import { type Backend, flattenTree } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import {
  type AutoencoderConfig,
  autoencoderCodec,
  autoencoderSpec,
  createCodec,
  exportWeights,
  type ImageCodec,
  type KlCodec,
  klConfigSchema,
  openCodec,
  type VqCodec,
  vqConfigSchema,
} from '../index.js';

let backend: Backend;
beforeAll(async () => (backend = await openWasm({ threads: 1 })));
afterAll(() => backend.dispose());

const size = { height: 8, width: 12 };
const levels = { block_out_channels: [8, 8], norm_num_groups: 4, latent_channels: 4, mid_block_add_attention: false };
const kl = klConfigSchema.parse(levels);
const vq = vqConfigSchema.parse({ ...levels, num_vq_embeddings: 16, vq_embed_dim: 4 });
const image = Float32Array.from({ length: 8 * 12 * 3 }, (_, i) => Math.sin(i));
const latents = Float32Array.from({ length: 4 * 6 * 4 }, (_, i) => Math.cos(i));
const pixels = createCodec({ kind: 'pixels' });

/** One value replaced. */
function spoilt(array: Float32Array, at: number, value: number): Float32Array {
  const copy = array.slice();
  copy[at] = value;
  return copy;
}

/** Calls `use` with a codec of random weights, some of them replaced: finite, but what they make of an image is not. */
async function withCodec(
  config: AutoencoderConfig,
  changes: Record<string, number>,
  use: (codec: ImageCodec) => Promise<unknown>,
  tiling: { abovePixels: number } | null = null,
) {
  const isArray = (value: unknown): value is Float32Array => value instanceof Float32Array;
  const values = flattenTree<Float32Array>(initialise(autoencoderSpec(config), 3), isArray);
  for (const [path, value] of Object.entries(changes)) values.get(path)!.fill(value);
  const weights = exportWeights({ config, values });
  const codec = openCodec({ backend, config: autoencoderCodec(config), weights, tiling }) as ImageCodec;
  try {
    await use(codec);
  } finally {
    codec.dispose();
  }
}

describe('images and latents that are not finite', () => {
  const bad = [image, spoilt(image, 12 * 3 + 2 * 3 + 1, Number.NaN)];
  const NAN = /images\[1\] has NaN at \[1, 2, 1\] of \[8, 12, 3\]/;

  test('pixels', async () => {
    await expect(pixels.encode({ ...size, images: bad })).rejects.toThrow(
      /^CODEC_NOT_FINITE: pixels\.encode: images\[1\]/,
    );
    await expect(pixels.encodeDistribution({ ...size, images: bad })).rejects.toThrow(NAN);
    const infinite = [spoilt(image, 0, Number.NEGATIVE_INFINITY)];
    await expect(pixels.decode({ ...size, latents: infinite })).rejects.toThrow(
      /^CODEC_NOT_FINITE: pixels\.decode: latents\[0\] has -Infinity at \[0, 0, 0\]/,
    );
  });

  test('KL', () =>
    withCodec(kl, {}, async (codec) => {
      const methods = ['encode', 'encodeDistribution', 'encodePosterior'] as const;
      for (const method of methods) {
        const encode = (codec as KlCodec)[method]({ ...size, images: bad });
        await expect(encode).rejects.toThrow(new RegExp(`^CODEC_NOT_FINITE: kl\\.${method}: ${NAN.source}`));
      }
      await expect(codec.decode({ ...size, latents: [spoilt(latents, 7, Number.NaN)] })).rejects.toThrow(
        /^CODEC_NOT_FINITE: kl\.decode: latents\[0\] has NaN at \[0, 1, 3\] of \[4, 6, 4\]/,
      );
    }));

  test('VQ', () =>
    withCodec(vq, {}, async (codec) => {
      const methods = ['encode', 'encodeDistribution', 'encodeCodes'] as const;
      for (const method of methods) {
        const encode = (codec as VqCodec)[method]({ ...size, images: bad });
        await expect(encode).rejects.toThrow(new RegExp(`^CODEC_NOT_FINITE: vq\\.${method}: ${NAN.source}`));
      }
      await expect(codec.decode({ ...size, latents: [latents, spoilt(latents, 0, Number.NaN)] })).rejects.toThrow(
        /^CODEC_NOT_FINITE: vq\.decode: latents\[1\]/,
      );
    }));
});

// Finite weights whose products with what comes before are beyond the largest f32.
const decoderOverflow = { 'decoder.conv_norm_out.weight': 1e30, 'decoder.conv_out.weight': 1e30 };
const encoderOverflow = { 'encoder.conv_norm_out.weight': 1e30, 'encoder.conv_out.weight': 1e30 };

describe.each([
  ['in one piece', null],
  ['streamed', { abovePixels: 10 }],
])('a network that overflows, %s', (_, tiling) => {
  test('KL, decoding', () =>
    withCodec(
      kl,
      decoderOverflow,
      async (codec) => {
        await expect(codec.decode({ ...size, latents: [latents] })).rejects.toThrow(
          /^CODEC_NOT_FINITE: kl\.decode: the image of latents\[0\] has (NaN|-?Infinity) at \[\d+, \d+, \d\] of \[8, 12, 3\]; what went in reaches 1\.00/,
        );
      },
      tiling,
    ));

  test('KL, encoding', () =>
    withCodec(
      kl,
      encoderOverflow,
      async (codec) => {
        await expect(codec.encodeDistribution({ ...size, images: [image] })).rejects.toThrow(
          /^CODEC_NOT_FINITE: kl\.encodeDistribution: the mean and log variance of images\[0\] has/,
        );
      },
      tiling,
    ));

  test('VQ: vectors that are not finite become no codes', () =>
    withCodec(
      vq,
      encoderOverflow,
      async (codec) => {
        await expect((codec as VqCodec).encodeCodes({ ...size, images: [image] })).rejects.toThrow(
          /^CODEC_NOT_FINITE: vq\.encodeCodes: the vectors of images\[0\] has/,
        );
      },
      tiling,
    ));

  test('VQ, decoding', () =>
    withCodec(
      vq,
      decoderOverflow,
      async (codec) => {
        const codes = [new Int32Array(24)];
        await expect((codec as VqCodec).decodeCodes({ ...size, codes })).rejects.toThrow(
          /^CODEC_NOT_FINITE: vq\.decodeCodes: the image of codes\[0\] has/,
        );
        await expect(codec.decode({ ...size, latents: [latents] })).rejects.toThrow(
          /^CODEC_NOT_FINITE: vq\.decode: the image of latents\[0\] has/,
        );
      },
      tiling,
    ));
});

test.each([
  [
    'vectors',
    1e21,
    5e18,
    /^CODEC_NOT_FINITE: vq\.decode: vectors of latents\[1\] reach 5\.49e\+21, codes 5\.00e\+18: too large/,
  ],
  ['codes', 1, 1e20, /^CODEC_NOT_FINITE: vq\.decode: vectors of latents\[0\] reach 5\.49, codes 1\.00e\+20/],
])('VQ: %s so large that their products overflow get no code', (_, latentScale, code, message) =>
  withCodec(vq, { 'quantize.embedding.weight': code }, async (codec) => {
    const large = latents.map((value) => value * latentScale);
    await expect(codec.decode({ ...size, latents: [latents, large] })).rejects.toThrow(message);
  }),
);

test.each([kl, vq])('a scaling_factor that makes finite latents infinite', (config) =>
  withCodec({ ...config, scaling_factor: 1e300 }, {}, async (codec) => {
    await expect(codec.encode({ ...size, images: [image] })).rejects.toThrow(
      /^CODEC_NOT_FINITE: (kl|vq)\.encode: the scaled latents of images\[0\] has .*scaling_factor/s,
    );
    await expect(codec.encodeDistribution({ ...size, images: [image] })).rejects.toThrow(
      /^CODEC_NOT_FINITE: (kl|vq)\.encodeDistribution: the scaled latents/,
    );
  }),
);
