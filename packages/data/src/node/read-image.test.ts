import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import sharp, { type Sharp } from 'sharp';
import { decodePng, encodePng, fitImage, fromBytes, squareImage } from '../index.js';
import { end, header, imageData, type PngChunk, pngOf } from '../testing/png-file.js';
import { readFittedImage, readImage } from './index.js';
import { loadSharp } from './load-sharp.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-images-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const solid = (background: string, channels: 3 | 4 = 3, width = 12, height = 12) =>
  sharp({ create: { width, height, channels, background } });

async function read(bytes: Uint8Array | string, name: string, size = 2): Promise<Float32Array> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return readImage(path, size);
}

const readBack = async (image: Sharp, name: string, size = 2) => read(await image.toBuffer(), name, size);
const refusal = (bytes: Uint8Array | string, name: string) =>
  read(bytes, name).then(
    () => 'read',
    (error: Error) => error.message,
  );

/** The first pixel in 0..255, rounded. */
const firstPixel = (image: Float32Array) => [...image.subarray(0, 3)].map((value) => Math.round((value + 1) * 127.5));

const [width, height] = [13, 7];
const random = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7919 + ((i * i) % 251)) & 255);
/** Lines without filter of so many bytes. */
const linesOf = (bytesOfLine: number, lines = height) => {
  const all = random(bytesOfLine * lines);
  return Array.from({ length: lines }, (_, y) => [0, ...all.subarray(y * bytesOfLine, (y + 1) * bytesOfLine)]).flat();
};
/** Half of its colours have an alpha. */
const paletteOf = (depth: number): PngChunk[] => [
  ['PLTE', random(3 * 2 ** depth)],
  ['tRNS', random(2 ** (depth - 1))],
];
const encoded = (channels: 1 | 2 | 3 | 4, options: Parameters<Sharp['png']>[0]) =>
  sharp(random(width * height * channels), { raw: { width, height, channels } })
    .png(options)
    .toBuffer();

describe('PNG files are read as decodePng does, bit for bit', () => {
  const gray: [string, Uint8Array][] = [1, 2, 4, 8, 16].flatMap((depth): [string, Uint8Array][] => {
    const lines = imageData(linesOf(Math.ceil((width * depth) / 8)));
    const key: PngChunk = ['tRNS', Uint8Array.of(0, 1)];
    return [
      [`gray of ${depth} bits`, pngOf([header(width, height, depth, 0), lines, end])],
      [`gray of ${depth} bits with a transparent gray`, pngOf([header(width, height, depth, 0), key, lines, end])],
    ];
  });
  const indexed: [string, Uint8Array][] = [1, 2, 4, 8].flatMap((depth): [string, Uint8Array][] => {
    const lines = imageData(linesOf(Math.ceil((width * depth) / 8)));
    return [
      [`palette of ${depth} bits`, pngOf([header(width, height, depth, 3), paletteOf(depth)[0], lines, end])],
      [`palette of ${depth} bits and alpha`, pngOf([header(width, height, depth, 3), ...paletteOf(depth), lines, end])],
    ];
  });
  const deep = [2, 4, 6].map((type): [string, Uint8Array] => {
    const channels = type === 2 ? 3 : type === 4 ? 2 : 4;
    return [
      `16 bits, colour type ${type}`,
      pngOf([header(width, height, 16, type), imageData(linesOf(width * channels * 2)), end]),
    ];
  });
  const colour: PngChunk = header(width, height, 8, 2);
  const lines = imageData(linesOf(width * 3));
  const odd: [string, Uint8Array][] = [
    [
      'a transparent colour',
      pngOf([
        colour,
        ['tRNS', Uint8Array.of(0, 1, 0, 2, 0, 3)],
        imageData([0, 1, 2, 3, ...linesOf(width * 3).slice(4)]),
        end,
      ]),
    ],
    [
      'a transparent colour of 16 bits',
      pngOf([
        header(3, 1, 16, 2),
        ['tRNS', Uint8Array.of(1, 2, 3, 4, 5, 6)],
        imageData([0, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 7, 0, 0, 0, 0, 0, 0]),
        end,
      ]),
    ],
    [
      'a palette that ends early',
      pngOf([header(2, 1, 8, 3), ['PLTE', Uint8Array.of(9, 8, 7)], imageData([0, 0, 200]), end]),
    ],
    ['gamma', pngOf([colour, ['gAMA', Uint8Array.of(0, 1, 134, 160)], lines, end])],
    ['a damaged profile', pngOf([colour, ['iCCP', Uint8Array.of(65, 0, 0, 1, 2, 3)], lines, end])],
    ['damaged text', pngOf([colour, ['tEXt', Uint8Array.of(0)], lines, end])],
    [
      'an animation',
      pngOf([colour, ['acTL', Uint8Array.of(0, 0, 0, 2, 0, 0, 0, 0)], lines, ['fdAT', Uint8Array.of(1)], end]),
    ],
    ['no end chunk', pngOf([colour, lines])],
    ['half of an end chunk', pngOf([colour, lines, end]).subarray(0, -5)],
  ];
  test.each([...gray, ...indexed, ...deep, ...odd])('%s', async (_, file) => {
    for (const size of [1, 5, 32])
      expect(await read(file, 'a.png', size)).toEqual(squareImage(decodePng(file), size).data);
  });

  test.each([
    ['gray', 1 as const, {}],
    ['gray with alpha', 2 as const, {}],
    ['colour', 3 as const, {}],
    ['colour with alpha', 4 as const, {}],
    ['interlaced', 4 as const, { progressive: true }],
    ['filtered', 3 as const, { adaptiveFiltering: true }],
    ['palette with alpha', 4 as const, { palette: true, colours: 16 }],
  ])('as encoders write it: %s', async (_, channels, options) => {
    const file = await encoded(channels, options);
    for (const size of [1, 5, 32])
      expect(await read(file, 'a.png', size)).toEqual(squareImage(decodePng(file), size).data);
  });

  test('a large one', async () => {
    const large = sharp(random(1100 * 1030 * 3), { raw: { width: 1100, height: 1030, channels: 3 } });
    const file = await large.png({ compressionLevel: 1 }).toBuffer();
    expect(await read(file, 'a.png', 24)).toEqual(squareImage(decodePng(file), 24).data);
  });

  test('what one refuses, the other refuses', async () => {
    const good = encodePng({ width: 5, height: 4, data: fromBytes(random(60)) });
    const wrongSum = good.slice();
    wrongSum[wrongSum.length - 13] ^= 1;
    const bad: [Uint8Array, string][] = [
      [wrongSum, 'the checksum of its chunk "IDAT"'],
      [good.subarray(0, -13), 'truncated'],
      [pngOf([header(1, 2, 8, 0), imageData([0, 5]), end]), 'ends after 2 of 4 bytes'],
      [pngOf([header(1, 1, 8, 0), imageData([0, 5, 6]), end]), 'longer than the 2 bytes'],
      [pngOf([header(1, 1, 8, 3), imageData([0, 0]), end]), 'palette, which it lacks'],
      [pngOf([header(1, 1, 1, 3), ...paletteOf(3), imageData([0, 0]), end]), '4 transparencies for a palette of 2'],
      [pngOf([header(40_000, 1, 8, 0), imageData([0, 0]), end]), 'IMAGE_TOO_LARGE'],
      [pngOf([header(20_000, 20_000, 8, 0), imageData([0, 0]), end]), 'IMAGE_TOO_LARGE'],
    ];
    for (const [file, message] of bad) {
      expect(() => decodePng(file)).toThrow(message);
      expect(await refusal(file, 'a.png')).toContain(message);
    }
    const unknownFilter = pngOf([header(1, 1, 8, 0), imageData([9, 0]), end]);
    expect(() => decodePng(unknownFilter)).toThrow('IMAGE_UNREADABLE');
    expect(await refusal(unknownFilter, 'a.png')).toMatch(/IMAGE_UNREADABLE.*a PNG file, and does not decode/);
  });

  test('mutated files: the same image, or both refuse', async () => {
    const lines = linesOf(7);
    const kinds: [PngChunk[], number[]][] = [
      [[header(width, height, 8, 0)], linesOf(width)],
      [[header(width, height, 4, 3), ...paletteOf(4)], lines],
      [[header(width, height, 4, 3), ...paletteOf(3)], lines],
      [[header(width, height, 8, 6)], linesOf(4 * width)],
    ];
    const change = fc.tuple(fc.nat(), fc.nat(255));
    const filter = fc.tuple(fc.nat(height - 1), fc.nat(5));
    const mutation = fc.record({
      kind: fc.constantFrom(...kinds),
      filters: fc.array(filter, { maxLength: height }),
      inFile: fc.array(change, { maxLength: 1 }),
      missing: fc.nat(40),
    });
    let [same, refused] = [0, 0];
    await fc.assert(
      fc.asyncProperty(mutation, async ({ kind: [head, plain], filters, inFile, missing }) => {
        const filtered = [...plain];
        for (const [line, kind] of filters) filtered[(line * plain.length) / height] = kind;
        const whole = pngOf([...head, imageData(filtered), end]);
        const file = whole.slice(0, missing < 15 ? whole.length - missing : whole.length);
        for (const [at, value] of missing % 2 ? inFile : []) file[at % file.length] = value;
        let expected: Float32Array | undefined;
        try {
          expected = squareImage(decodePng(file), 3).data;
        } catch {}
        const got = await read(file, 'mutated.png', 3).catch(() => undefined);
        expect(got).toEqual(expected);
        if (expected) same++;
        else refused++;
      }),
      { numRuns: 300, seed: 1 },
    );
    expect(same).toBeGreaterThan(50);
    expect(refused).toBeGreaterThan(50);
  });

  test('only here: interlaced with less than 8 bits', async () => {
    const file = pngOf([header(1, 1, 1, 0, 1), imageData([0, 128]), end]);
    expect(firstPixel(await read(file, 'a.png'))).toEqual([255, 255, 255]);
    expect(() => decodePng(file)).toThrow(/interlaced with 1 bits per channel, which is not supported/);
  });
});

describe('other kinds', () => {
  test.each([
    ['half transparent red on white', () => solid('#ff000080', 4).webp({ lossless: true }), [255, 127, 127]],
    ['wholly transparent black on white', () => solid('#00000000', 4).webp({ lossless: true }), [255, 255, 255]],
    ['WebP', () => solid('#c04020').webp({ lossless: true }), [192, 64, 32]],
    ['TIFF', () => solid('#c04020').tiff({ compression: 'lzw' }), [192, 64, 32]],
    ['GIF', () => solid('#c04020').gif(), [192, 64, 32]],
    ['gray JPEG', () => solid('#808080').grayscale().jpeg(), [128, 128, 128]],
    ['AVIF', () => solid('#808080').avif({ lossless: true }), [128, 128, 128]],
  ])('%s, whatever its name', async (_, image, expected) => {
    for (const name of ['a.png', 'a.jpg', 'a']) expect(firstPixel(await readBack(image(), name))).toEqual(expected);
  });

  test('16 bits of a TIFF are kept', async () => {
    const samples = Uint16Array.from({ length: 12 }, (_, i) => 1000 + i);
    const tiff = sharp(samples, { raw: { width: 2, height: 2, channels: 3 } })
      .toColourspace('rgb16')
      .tiff({ compression: 'lzw' });
    expect(await readBack(tiff, 'a.tiff')).toEqual(
      Float32Array.from(samples, (value) => Math.fround(value / 65_535) * 2 - 1),
    );
  });

  test('CMYK JPEG: white is white, and other colours are near what they were made from', async () => {
    const cmyk = (background: string) => solid(background).toColourspace('cmyk').jpeg({ quality: 100 });
    expect(firstPixel(await readBack(cmyk('#ffffff'), 'white.jpg'))).toEqual([255, 255, 255]);
    const pixel = firstPixel(await readBack(cmyk('#c04020'), 'red.jpg'));
    // Saturated colours lie outside what inks can show.
    [192, 64, 32].forEach((value, c) => expect(Math.abs(pixel[c] - value)).toBeLessThan(32));
  });

  test('colour profiles: sRGB changes nothing, another is applied', async () => {
    const raw = () => sharp(random(48), { raw: { width: 4, height: 4, channels: 3 } });
    const plain = await readBack(raw().png(), 'plain.png', 4);
    expect(await readBack(raw().withIccProfile('srgb').png(), 'srgb.png', 4)).toEqual(plain);
    // The same colour in numbers of Display P3.
    const wide = await solid('#c04020').withIccProfile('p3').png().toBuffer();
    expect(firstPixel(decodePng(wide).data)).not.toEqual([192, 64, 32]);
    firstPixel(await read(wide, 'p3.png')).forEach((value, c) => {
      expect(Math.abs(value - [192, 64, 32][c])).toBeLessThan(3);
    });
  });

  test.each(['gif', 'webp'] as const)('the first frame of an animation: %s', async (kind) => {
    const frames = Buffer.concat([Buffer.alloc(8 * 8 * 3, 255), Buffer.alloc(8 * 8 * 3, 0)]);
    const animation = sharp(frames, { raw: { width: 8, height: 16, channels: 3, pageHeight: 8 } });
    expect(firstPixel(await readBack(animation[kind](), `j.${kind}`, 1))).toEqual([255, 255, 255]);
  });

  const svg = (attributes: string) =>
    `<svg xmlns="http://www.w3.org/2000/svg" ${attributes}><rect width="9" height="9" fill="#c04020"/></svg>`;
  test.each(['width="9" height="9"', 'viewBox="0 0 9 9"', ''])('SVG with size "%s"', async (attributes) => {
    expect(firstPixel(await read(svg(attributes), 'k.svg'))).toEqual([192, 64, 32]);
  });

  test('is cropped to the centre and resized as training does', async () => {
    const bytes = Uint8Array.from({ length: 30 * 20 * 3 }, (_, i) => (i * 7) % 256);
    const image = sharp(bytes, { raw: { width: 30, height: 20, channels: 3 } }).webp({ lossless: true });
    const data = fromBytes(bytes);
    const expected = squareImage({ width: 30, height: 20, data }, 8).data;
    (await readBack(image, 'l.webp', 8)).forEach((value, i) => {
      expect(Math.abs(value - expected[i])).toBeLessThan(1e-6);
    });
  });

  test.each(['png', 'jpeg'] as const)('is turned as its EXIF data says: %s', async (kind) => {
    // Black on the left; orientation 6 is "turn clockwise to view": black comes to the top.
    const black = await solid('#000000', 3, 16, 32).png().toBuffer();
    const image = solid('#ffffff', 3, 32, 32).composite([{ input: black, left: 0, top: 0 }]);
    const turned = await readBack(image.withMetadata({ orientation: 6 })[kind](), `n.${kind}`);
    expect([0, 3, 6, 9].map((at) => Math.round(turned[at]))).toEqual([-1, -1, 1, 1]);
  });
});

describe('says what is wrong', () => {
  const ftyp = (brand: string) => Buffer.concat([Buffer.of(0, 0, 0, 24), Buffer.from(`ftyp${brand}\0\0\0\0mif1heic`)]);
  test.each<[string, Uint8Array | string, string]>([
    ['HEIC', ftyp('heic'), 'it is a HEIC file, which cannot be read here: save it as JPEG or PNG'],
    ['BMP', 'BM\x46\0\0\0\0\0\0\0\x36\0\0\0', 'it is a BMP file, which cannot be read here'],
    ['Photoshop', '8BPS\0\x01', 'it is a Photoshop file, which cannot'],
    ['JPEG XL', Buffer.of(0xff, 0x0a, 1, 2), 'it is a JPEG XL file, which cannot'],
    ['icon', Buffer.of(0, 0, 1, 0, 1, 0), 'it is an icon file (ICO), which cannot'],
    ['a page that says 404', '<!DOCTYPE html><title>404', 'it is no picture but an HTML page'],
    [
      'what Git LFS left',
      'version https://git-lfs.github.com/spec/v1\noid sha256:1',
      'it is no picture but a Git LFS pointer: the file',
    ],
    ['a film', ftyp('mp42').fill('isom', 16, 24), 'it is no picture but a film'],
    ['text', 'hello', 'it is of no known kind of image'],
    ['half a JPEG', Buffer.of(0xff, 0xd8, 0xff, 0xe0, 0), 'it is a JPEG file, and does not decode: '],
    ['nothing', '', 'it is empty (0 bytes)'],
  ])('%s', async (_, bytes, reason) => {
    const message = await refusal(bytes, 'a.jpg');
    expect(message).toContain(`IMAGE_UNREADABLE: ${join(folder, 'a.jpg')}: ${reason}`);
  });

  test("a camera's raw file is not taken for the thumbnail in it", async () => {
    const tiff = await solid('#c04020').tiff().toBuffer();
    expect(await refusal(tiff, 'a.NEF')).toMatch(/IMAGE_UNREADABLE.*a camera's raw file, which cannot be read here/);
    expect(await refusal(tiff, 'a.tif')).toBe('read');
  });

  test('a truncated JPEG', async () => {
    const whole = await sharp(random(300 * 300 * 3), { raw: { width: 300, height: 300, channels: 3 } })
      .jpeg()
      .toBuffer();
    expect(await refusal(whole.subarray(0, whole.length / 2), 'a.jpg')).toMatch(/a JPEG file, and does not decode/);
  });

  test('a folder, a missing file, and one that is larger than any image should be declared', async () => {
    await expect(readImage(folder, 2)).rejects.toThrow(/IMAGE_UNREADABLE.*it is a folder/);
    await expect(readImage(join(folder, 'x.png'), 2)).rejects.toThrow(/IMAGE_UNREADABLE.*there is no such file/);
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="20000" height="20000"/>';
    expect(await refusal(svg, 'o.svg')).toMatch(/IMAGE_(TOO_LARGE.*20000 x 20000|UNREADABLE)/);
    expect(await readFile(join(folder, 'o.svg'), 'utf8')).toBe(svg);
  });

  test('a size that is none', async () => {
    await expect(readBack(solid('#c04020').png(), 'a.png', 0)).rejects.toThrow('DATA_IMAGE_SIZE');
  });
});

describe('without sharp', () => {
  const failing = (code: string | undefined, message: string) => () =>
    loadSharp(() => Promise.reject(Object.assign(new Error(message), { code })));

  test.each([
    ['ERR_MODULE_NOT_FOUND', "Cannot find package 'sharp' imported from /a/node.js"],
    ['MODULE_NOT_FOUND', "Cannot find module 'sharp'\nRequire stack:\n- /a/node.cjs"],
  ])('not installed: %s', async (code, message) => {
    await expect(failing(code, message)()).rejects.toThrow(/DATA_SHARP_MISSING: .*not installed\n.*npm install sharp/);
  });

  test.each([
    [undefined, 'Could not load the "sharp" module using the linux-x64 runtime'],
    ['ERR_MODULE_NOT_FOUND', "Cannot find package 'detect-libc' imported from /a/sharp.mjs"],
  ])('installed, and does not load: %s', async (code, message) => {
    await expect(failing(code, message)()).rejects.toThrow(
      `DATA_SHARP_BROKEN: reading pictures needs the package "sharp", which is installed and does not load: ${message}`,
    );
  });
});

test('of several sizes a picture gets the one that is nearest in aspect', async () => {
  const sizes = [
    { width: 4, height: 4 },
    { width: 8, height: 4 },
    { width: 3, height: 9 },
  ];
  for (const [size, columns, rows] of [
    [sizes[0], 10, 12],
    [sizes[1], 21, 10],
    [sizes[2], 5, 14],
  ] as const) {
    const path = join(folder, `${columns}x${rows}.png`);
    const png = await sharp(random(columns * rows * 3), { raw: { width: columns, height: rows, channels: 3 } })
      .png()
      .toBuffer();
    await writeFile(path, png);
    expect(await readFittedImage(path, sizes)).toEqual(fitImage(decodePng(png), size));
    expect(await readFittedImage(path, sizes)).toMatchObject(size);
  }
});
