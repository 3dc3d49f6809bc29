import { codecConfigSchema, createCodec, latentShapeOf } from './index.js';

describe('the pixel codec', () => {
  const codec = createCodec({ kind: 'pixels' });
  const size = { height: 2, width: 3 };
  const images = [0, 1].map((seed) => Float32Array.from({ length: 18 }, (_, i) => Math.sin(i + seed)));

  test('is the identity both ways, batch-wise, in arrays of its own', async () => {
    const latents = await codec.encode({ ...size, images });
    expect(latents).toEqual(images);
    expect(await codec.decode({ ...size, latents })).toEqual(images);
    latents[0].fill(0);
    expect(images[0][1]).toBeCloseTo(Math.sin(1), 6);
    expect(await codec.encode({ ...size, images: [] })).toEqual([]);
  });

  test('tells its shapes and its scale, and round-trips its configuration', () => {
    expect(codec.latentShape({ height: 24, width: 16 })).toEqual({ height: 24, width: 16, channels: 3 });
    expect(latentShapeOf(codec.config, { height: 24, width: 16 })).toEqual({ height: 24, width: 16, channels: 3 });
    expect(codec.scale).toBe(1);
    const config = codecConfigSchema.parse(JSON.parse(JSON.stringify(codec.config)));
    expect(createCodec(config).config).toEqual({ kind: 'pixels' });
  });

  test.each<[string, unknown, RegExp]>([
    [
      'plain array',
      [Array(18).fill(0)],
      /images\[0\] is a plain array, expected a Float32Array of \[2, 3, 3\].*Float32Array\.from\(values\)/s,
    ],
    ['nested arrays', [[[[0]]]], /flatten it: Float32Array\.from\(images\[i\]\.flat\(Infinity\)\)/],
    ['Float64Array', [images[0], Float64Array.from(images[0])], /images\[1\] is a Float64Array/],
    ['bytes', [new Uint8ClampedArray(18)], /is a Uint8ClampedArray.*byte \/ 127\.5 - 1/s],
    ['one image', images[0], /images are a Float32Array, expected a list.*images: \[array\]/s],
    ['nothing', undefined, /images are nothing/],
    ['a hole', [undefined], /images\[0\] is nothing/],
  ])('what is no list of Float32Array is refused by name: %s', async (_, given, message) => {
    const encode = codec.encode({ ...size, images: given as Float32Array[] });
    await expect(encode).rejects.toThrow(message);
    await expect(encode).rejects.toThrow(/^CODEC_SHAPE: pixels\.encode: /);
  });

  test('images in shared memory, or inside a larger one, are taken; results are memory of their own', async () => {
    const shared = new Float32Array(new SharedArrayBuffer(4 * 20), 4, 18);
    shared.set(images[0]);
    const [latents] = await codec.encode({ ...size, images: [shared] });
    expect(latents).toEqual(images[0]);
    expect(Object.prototype.toString.call(latents.buffer)).toBe('[object ArrayBuffer]');
    expect(latents.buffer.byteLength).toBe(72);
  });

  test('names what does not fit', async () => {
    await expect(codec.encode({ ...size, images: [images[0], new Float32Array(12)] })).rejects.toThrow(
      /CODEC_SHAPE.*images\[1\] has 12 values, expected \[2, 3, 3\] = 18/,
    );
    await expect(codec.decode({ height: 4, width: 3, latents: images })).rejects.toThrow(/CODEC_SHAPE.*latents\[0\]/);
    expect(() => codec.latentShape({ height: 0, width: 3 })).toThrow(/CODEC_IMAGE_SIZE.*3 x 0/);
    expect(() => createCodec({ kind: 'kl' } as never)).toThrow(/CODEC_CONFIG.*autoencoder/s);
    expect(() => createCodec({ kind: 'vq', autoencoder: {} })).toThrow(/CODEC_WEIGHTS.*openCodec/s);
    expect(() => createCodec({ kind: 'pixels', scale: 2 } as never)).toThrow(/CODEC_CONFIG.*scale/s);
  });
});
