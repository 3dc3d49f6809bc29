import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { encode } from 'fast-png';
import sharp from 'sharp';
import { decodePng, encodePng, fromBytes, imageGrid, toBytes } from '../index.js';
import { end, header, imageData, type PngChunk, pngOf } from '../testing/png-file.js';

/** 0 to 1 on white, as the decoder should give it. */
const pixels = (bytes: Uint8Array) => [...decodePng(bytes).data].map((value) => (value + 1) / 2);
const near = (got: number[], expected: number[]) => {
  expect(got).toHaveLength(expected.length);
  got.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i], 5);
  });
};

describe('decodePng reads every kind of pixel', () => {
  test('1 bit gray, lines padded to bytes', () => {
    const file = pngOf([header(10, 2, 1, 0), imageData([0, 0b10100000, 0b01000000, 0, 0b00000000, 0b10000000]), end]);
    const bits = [1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];
    near(
      pixels(file),
      bits.flatMap((bit) => [bit, bit, bit]),
    );
  });

  test('2 and 4 bit gray, with a transparent gray', () => {
    const file = pngOf([header(3, 1, 2, 0), ['tRNS', Uint8Array.of(0, 1)], imageData([0, 0b00_01_10_00]), end]);
    near(pixels(file), [0, 0, 0, 1, 1, 1, 2 / 3, 2 / 3, 2 / 3]);
    near(pixels(pngOf([header(2, 1, 4, 0), imageData([0, 0x3f]), end])), [0.2, 0.2, 0.2, 1, 1, 1]);
  });

  test('palette of 2 bits with alpha', () => {
    const palette: PngChunk = ['PLTE', Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255)];
    const alpha: PngChunk = ['tRNS', Uint8Array.of(255, 0)];
    const file = pngOf([header(3, 1, 2, 3), palette, alpha, imageData([0, 0b00_01_10_00]), end]);
    near(pixels(file), [1, 0, 0, 1, 1, 1, 0, 0, 1]);
    // Beyond its end it is black.
    near(pixels(pngOf([header(1, 1, 2, 3), palette, alpha, imageData([0, 0b11_000000]), end])), [0, 0, 0]);
  });

  test('16 bit colour, alpha and transparent colour', () => {
    const file = encode({
      width: 1,
      height: 1,
      depth: 16,
      channels: 4,
      data: Uint16Array.of(65_535, 0, 32_768, 32_768),
    });
    const alpha = 32_768 / 65_535;
    near(pixels(file), [1, 1 - alpha, alpha * alpha + 1 - alpha]);
    const keyed = pngOf([
      header(3, 1, 16, 2),
      ['tRNS', Uint8Array.of(1, 2, 3, 4, 5, 6)],
      imageData([0, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 7, 0, 0, 0, 0, 0, 0]),
      end,
    ]);
    near(pixels(keyed), [1, 1, 1, 0x0102 / 65_535, 0x0304 / 65_535, 0x0507 / 65_535, 0, 0, 0]);
  });

  const random = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7919 + ((i * i) % 251)) & 255);
  test.each([
    ['gray', { channels: 1 as const }, {}],
    ['gray with alpha', { channels: 2 as const }, {}],
    ['colour', { channels: 3 as const }, {}],
    ['colour with alpha', { channels: 4 as const }, {}],
    ['interlaced', { channels: 4 as const }, { progressive: true }],
    ['filtered', { channels: 3 as const }, { adaptiveFiltering: true }],
    ['palette', { channels: 4 as const }, { palette: true, colours: 16 }],
  ])('as libvips does: %s', async (_name, { channels }, options) => {
    const [width, height] = [37, 23];
    const file = await sharp(random(width * height * channels), { raw: { width, height, channels } })
      .png(options)
      .toBuffer();
    const expected = await sharp(file).toColourspace('srgb').ensureAlpha().raw().toBuffer();
    const image = decodePng(file);
    expect([image.width, image.height]).toEqual([width, height]);
    let worst = 0;
    for (let i = 0; i < width * height; i++) {
      const alpha = expected[i * 4 + 3] / 255;
      for (let c = 0; c < 3; c++) {
        const onWhite = (expected[i * 4 + c] / 255) * alpha + 1 - alpha;
        worst = Math.max(worst, Math.abs((image.data[i * 3 + c] + 1) / 2 - onWhite));
      }
    }
    expect(worst).toBeLessThan(1e-6);
  });

  test('an animation gives its still image; text and profiles are passed over', () => {
    const damagedProfile: PngChunk = ['iCCP', Uint8Array.of(65, 0, 0, 1, 2, 3)];
    const animation: PngChunk = ['acTL', Uint8Array.of(0, 0, 0, 2, 0, 0, 0, 0)];
    const file = pngOf([
      header(1, 1, 8, 0),
      animation,
      damagedProfile,
      imageData([0, 51]),
      ['fdAT', Uint8Array.of(1)],
      end,
    ]);
    near(pixels(file), [0.2, 0.2, 0.2]);
  });
});

describe('decodePng refuses what it cannot read, before it allocates', () => {
  const good = encodePng({ width: 5, height: 4, data: fromBytes(Array.from({ length: 60 }, (_, i) => i * 4)) });
  const text = (value: string) => new TextEncoder().encode(value);

  test.each<[string, Uint8Array, RegExp]>([
    ['0 bytes', new Uint8Array(0), /it is empty/],
    ['JPEG', Uint8Array.of(0xff, 0xd8, 0xff, 0xe0), /a JPEG file/],
    ['GIF', text('GIF89a'), /a GIF file/],
    ['WebP', text('RIFF....WEBPVP8 '), /a WebP file/],
    ['SVG', text('<svg xmlns="">'), /an SVG file/],
    ['text', text('hello'), /not a PNG file/],
    ['only a signature', good.subarray(0, 8), /truncated after 8 bytes/],
    ['100,000 px wide', pngOf([header(100_000, 1, 8, 2), imageData([0]), end]), /IMAGE_TOO_LARGE.*100000 x 1 pixels/],
    ['2^32 px wide', pngOf([header(0xffffffff, 0xffffffff, 16, 6), imageData([0]), end]), /IMAGE_TOO_LARGE/],
    ['many pixels', pngOf([header(16_000, 16_000, 8, 6), imageData([0]), end]), /IMAGE_TOO_LARGE/],
    ['no pixels', pngOf([header(0, 1, 8, 2), imageData([0]), end]), /0 x 1 pixels/],
    ['a colour type of its own', pngOf([header(1, 1, 8, 5), imageData([0, 0]), end]), /colour type 5/],
    [
      'a depth that the colour type lacks',
      pngOf([header(1, 1, 4, 2), imageData([0, 0]), end]),
      /colour type 2 with 4 bits/,
    ],
    ['interlaced bits', pngOf([header(1, 1, 1, 0, 1), imageData([0, 0]), end]), /interlaced with 1 bits/],
    ['no image data', pngOf([header(1, 1, 8, 0), end]), /no image data/],
    ['too little image data', pngOf([header(1, 2, 8, 0), imageData([0, 5]), end]), /ends after 2 of 4 bytes/],
    ['too much image data', pngOf([header(1, 1, 8, 0), imageData([0, 5, 6]), end]), /longer than the 2 bytes/],
    ['damaged image data', pngOf([header(1, 1, 8, 0), ['IDAT', Uint8Array.of(1, 2, 3, 4)], end]), /damaged/],
    ['a palette missing', pngOf([header(1, 1, 8, 3), imageData([0, 0]), end]), /palette, which it lacks/],
    ['two headers', pngOf([header(1, 1, 8, 0), header(9, 9, 8, 0), imageData([0, 0]), end]), /two headers/],
    ['an unknown filter', pngOf([header(1, 1, 8, 0), imageData([9, 0]), end]), /IMAGE_UNREADABLE/],
  ])('%s', (_name, bytes, message) => {
    expect(() => decodePng(bytes, { where: 'cat.png' })).toThrow(message);
    expect(() => decodePng(bytes, { where: 'cat.png' })).toThrow(/^IMAGE_[A-Z_]+: cat\.png: /);
  });

  test('cut anywhere', () => {
    // Only the end chunk, which says nothing, may be missing or cut.
    const complete = good.length - 12;
    for (let length = 0; length < complete; length++) {
      expect(() => decodePng(good.subarray(0, length))).toThrow('IMAGE_UNREADABLE');
    }
    for (let length = complete; length < good.length; length++) {
      expect(decodePng(good.subarray(0, length))).toEqual(decodePng(good));
    }
  });

  test.each(['IHDR', 'PLTE', 'tRNS', 'IDAT', 'IEND'])('a wrong checksum of %s', (type) => {
    const palette: PngChunk = ['PLTE', Uint8Array.of(255, 0, 0)];
    const file = pngOf([header(1, 1, 8, 3), palette, ['tRNS', Uint8Array.of(9)], imageData([0, 0]), end]);
    expect(decodePng(file).width).toBe(1);
    const at = Buffer.from(file).indexOf(type);
    const length = Buffer.from(file).readUInt32BE(at - 4);
    file[at + 4 + length] ^= 1;
    expect(() => decodePng(file)).toThrow(
      `IMAGE_UNREADABLE: image: it is damaged: the checksum of its chunk "${type}"`,
    );
  });

  test('a megabyte that would inflate to a gigabyte stops at the size of its header', () => {
    const bomb = deflateSync(new Uint8Array(64 * 2 ** 20));
    const started = performance.now();
    expect(() => decodePng(pngOf([header(64, 64, 8, 6), ['IDAT', bomb], end]))).toThrow(/longer than the 16448 bytes/);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test('mutated files give an image or the typed error', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        (changes) => {
          const file = good.slice();
          for (const [at, value] of changes) file[at] = value;
          try {
            const image = decodePng(file);
            expect(image.data).toHaveLength(image.width * image.height * 3);
          } catch (error) {
            expect((error as { code?: string }).code).toMatch(/^IMAGE_/);
          }
        },
      ),
      { numRuns: 1000, seed: 1 },
    );
  });
});

describe('bytes, files and grids', () => {
  test('bytes survive the way through [-1, 1] and a file', () => {
    const bytes = Uint8Array.from({ length: 258 }, (_, i) => i % 256);
    expect(toBytes(fromBytes(bytes))).toEqual(bytes);
    const file = encodePng({ width: 86, height: 1, data: fromBytes(bytes) });
    expect(toBytes(decodePng(file).data)).toEqual(bytes);
    expect([...toBytes(Float32Array.of(-9, 9, Number.NaN, 0))]).toEqual([0, 255, 0, 128]);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('%p is not made a file', (value) => {
    const data = new Float32Array(18);
    data[13] = value;
    expect(() => encodePng({ width: 3, height: 2, data })).toThrow(
      `DATA_IMAGE_NOT_FINITE: encodePng: the pixel at column 1, row 1 is ${value}`,
    );
  });

  test('any view of bytes is read: a Buffer, a part of a larger one, shared memory', () => {
    const file = encodePng({ width: 3, height: 2, data: Float32Array.from({ length: 18 }, (_, i) => i / 9 - 1) });
    const shared = new Uint8Array(new SharedArrayBuffer(file.length));
    shared.set(file);
    const larger = Uint8Array.from([1, 2, 3, ...file, 4]);
    for (const bytes of [Buffer.from(file), shared, larger.subarray(3, 3 + file.length)]) {
      expect(decodePng(bytes)).toEqual(decodePng(file));
    }
    const bytes = new Uint8Array(new SharedArrayBuffer(2));
    expect(fromBytes(bytes)).toEqual(Float32Array.of(-1, -1));
  });

  test('a grid puts images where they belong', () => {
    const of = (value: number) => ({ width: 1, height: 1, data: new Float32Array(3).fill(value) });
    const grid = imageGrid([of(-1), of(0), of(0.5)], { columns: 2, scale: 2, gap: 1 });
    expect([grid.width, grid.height]).toEqual([7, 7]);
    const red = Array.from({ length: 49 }, (_, i) => grid.data[i * 3]);
    expect(red).toEqual([
      ...[1, 1, 1, 1, 1, 1, 1],
      ...[1, -1, -1, 1, 0, 0, 1],
      ...[1, -1, -1, 1, 0, 0, 1],
      ...[1, 1, 1, 1, 1, 1, 1],
      ...[1, 0.5, 0.5, 1, 1, 1, 1],
      ...[1, 0.5, 0.5, 1, 1, 1, 1],
      ...[1, 1, 1, 1, 1, 1, 1],
    ]);
  });
});
