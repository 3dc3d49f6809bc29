import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { squareImage } from '@transfusion/data';
import sharp, { type Sharp } from 'sharp';
import { readImage } from './read-image.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-images-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const solid = (background: string, channels: 3 | 4 = 3, width = 12, height = 12) =>
  sharp({ create: { width, height, channels, background } });

async function readBack(image: Sharp, name: string, size = 2): Promise<Float32Array> {
  const path = join(folder, name);
  await image.toFile(path);
  return readImage(path, size);
}

/** The first pixel in 0..255, rounded. */
const firstPixel = (image: Float32Array) => [...image.subarray(0, 3)].map((value) => Math.round((value + 1) * 127.5));

describe('readImage', () => {
  test.each([
    ['PNG', () => solid('#c04020').png(), 'a.png', [192, 64, 32]],
    ['PNG of 16 bits', () => solid('#c04020').toColourspace('rgb16').png(), 'b.png', [192, 64, 32]],
    ['PNG with a palette', () => solid('#c04020').png({ palette: true }), 'c.png', [192, 64, 32]],
    ['gray PNG', () => solid('#808080').grayscale().png(), 'd.png', [128, 128, 128]],
    ['half transparent red on white', () => solid('#ff000080', 4).png(), 'e.png', [255, 127, 127]],
    [
      'wholly transparent black on white',
      () => solid('#00000000', 4).webp({ lossless: true }),
      'f.webp',
      [255, 255, 255],
    ],
    ['WebP', () => solid('#c04020').webp({ lossless: true }), 'g.webp', [192, 64, 32]],
    ['TIFF', () => solid('#c04020').tiff({ compression: 'lzw' }), 'h.tiff', [192, 64, 32]],
  ])('%s', async (_, image, name, expected) => expect(firstPixel(await readBack(image(), name))).toEqual(expected));

  test('CMYK JPEG: white is white, and other colours are near what they were made from', async () => {
    const cmyk = (background: string) => solid(background).toColourspace('cmyk').jpeg({ quality: 100 });
    expect(firstPixel(await readBack(cmyk('#ffffff'), 'white.jpg'))).toEqual([255, 255, 255]);
    const pixel = firstPixel(await readBack(cmyk('#c04020'), 'red.jpg'));
    // Saturated colours lie outside what inks can show.
    [192, 64, 32].forEach((value, c) => expect(Math.abs(pixel[c] - value)).toBeLessThan(32));
  });

  test('the first frame of an animation', async () => {
    const frames = Buffer.concat([Buffer.alloc(8 * 8 * 3, 255), Buffer.alloc(8 * 8 * 3, 0)]);
    const animation = sharp(frames, { raw: { width: 8, height: 16, channels: 3, pageHeight: 8 } }).gif();
    expect(firstPixel(await readBack(animation, 'j.gif'))).toEqual([255, 255, 255]);
  });

  test('SVG', async () => {
    const path = join(folder, 'k.svg');
    await writeFile(
      path,
      '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9" fill="#c04020"/></svg>',
    );
    expect(firstPixel(await readImage(path, 2))).toEqual([192, 64, 32]);
  });

  test('is cropped to the centre and resized as training does', async () => {
    const bytes = Uint8Array.from({ length: 30 * 20 * 3 }, (_, i) => (i * 7) % 256);
    const image = sharp(bytes, { raw: { width: 30, height: 20, channels: 3 } }).png();
    const data = Float32Array.from(bytes, (value) => value / 127.5 - 1);
    expect(await readBack(image, 'l.png', 8)).toEqual(squareImage({ width: 30, height: 20, data }, 8).data);
  });

  test('a large image is shrunk on the way, to the same mean', async () => {
    const half = await solid('#000000', 3, 3000, 1500).png().toBuffer();
    const image = solid('#ffffff', 3, 3000, 3000)
      .composite([{ input: half, left: 0, top: 0 }])
      .png();
    const read = await readBack(image, 'm.png', 2);
    expect(firstPixel(read)).toEqual([0, 0, 0]);
    expect(firstPixel(read.subarray(6))).toEqual([255, 255, 255]);
  });

  test('is turned as its EXIF data says', async () => {
    // Black on the left; orientation 6 is "turn clockwise to view": black comes to the top.
    const black = await solid('#000000', 3, 16, 32).png().toBuffer();
    const image = solid('#ffffff', 3, 32, 32).composite([{ input: black, left: 0, top: 0 }]);
    const upright = await image.withMetadata({ orientation: 6 }).png().toBuffer();
    const path = join(folder, 'n.png');
    await writeFile(path, upright);
    const read = await readImage(path, 2);
    expect([0, 3, 6, 9].map((at) => Math.round(read[at]))).toEqual([-1, -1, 1, 1]);
  });

  test('a folder, and a file that is larger than any image should be declared', async () => {
    await expect(readImage(folder, 2)).rejects.toThrow(/IMAGE_UNREADABLE.*it is a folder/);
    const path = join(folder, 'o.svg');
    await writeFile(path, '<svg xmlns="http://www.w3.org/2000/svg" width="20000" height="20000"/>');
    await expect(readImage(path, 2)).rejects.toThrow(/IMAGE_(TOO_LARGE.*20000 x 20000|UNREADABLE)/);
  });
});
