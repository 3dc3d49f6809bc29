import fc from 'fast-check';
import sharp from 'sharp';
import { centerCrop, fitImage, fromBytes, type RgbImage, resizeImage, squareImage } from '../index.js';

const gradient = (width: number, height: number): RgbImage => ({
  width,
  height,
  data: fromBytes(Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 37 + ((i * i) % 101)) & 255)),
});

/** 5 x 5 weights: ones over the first 4 x 4. */
const boxKernel = () => Array.from({ length: 25 }, (_, i) => (i % 5 < 4 && i < 20 ? 1 : 0));

describe('resizeImage', () => {
  test('shrinking is the area average: by the definition, in samples of a common multiple', () => {
    const [from, to] = [6, 4];
    const image = gradient(from, from);
    const small = resizeImage(image, to, to);
    // Both grids divide 12: a target pixel covers 3 x 3 samples, a source pixel 2 x 2.
    for (let y = 0; y < to; y++) {
      for (let x = 0; x < to; x++) {
        let sum = 0;
        for (let sy = 0; sy < 3; sy++) {
          for (let sx = 0; sx < 3; sx++) {
            sum += image.data[(Math.floor((y * 3 + sy) / 2) * from + Math.floor((x * 3 + sx) / 2)) * 3 + 1];
          }
        }
        expect(small.data[(y * to + x) * 3 + 1]).toBeCloseTo(sum / 9, 5);
      }
    }
  });

  test('by a whole factor it agrees with libvips', async () => {
    const bytes = Buffer.from(Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 31 + ((i * i) % 97)) & 255));
    const expected = await sharp(bytes, { raw: { width: 64, height: 64, channels: 3 } })
      .convolve({ width: 5, height: 5, kernel: boxKernel(), scale: 16 })
      .raw()
      .toBuffer();
    const small = resizeImage({ width: 64, height: 64, data: fromBytes(bytes) }, 16, 16);
    for (let y = 1; y < 15; y++) {
      for (let x = 1; x < 15; x++) {
        // The 5 x 5 kernel is a 4 x 4 box whose centre is the third of its pixels.
        const from = ((y * 4 + 2) * 64 + x * 4 + 2) * 3;
        const got = (small.data[(y * 16 + x) * 3] + 1) * 127.5;
        expect(Math.abs(got - expected[from])).toBeLessThanOrEqual(1);
      }
    }
  });

  test('keeps the mean when it shrinks, constant images always, and an image of the same size exactly', () => {
    const size = fc.integer({ min: 1, max: 20 });
    fc.assert(
      fc.property(size, size, size, size, (width, height, toWidth, toHeight) => {
        const mean = (image: RgbImage) => image.data.reduce((sum, value) => sum + value, 0) / image.data.length;
        const image = gradient(width, height);
        if (toWidth <= width && toHeight <= height) {
          expect(mean(resizeImage(image, toWidth, toHeight))).toBeCloseTo(mean(image), 4);
        }
        const flat = { width, height, data: new Float32Array(width * height * 3).fill(0.25) };
        for (const value of resizeImage(flat, toWidth, toHeight).data) expect(value).toBeCloseTo(0.25, 6);
        expect(resizeImage(image, width, height).data).toEqual(image.data);
      }),
      { numRuns: 60, seed: 1 },
    );
  });

  test('enlarging interpolates between pixel centres', () => {
    const image = { width: 2, height: 1, data: Float32Array.of(0, 0, 0, 1, 1, 1) };
    const large = resizeImage(image, 4, 1);
    expect([0, 1, 2, 3].map((x) => large.data[x * 3])).toEqual([0, 0.25, 0.75, 1]);
  });

  test('refuses sizes that are none', () => {
    expect(() => resizeImage(gradient(2, 2), 0, 2)).toThrow(/DATA_IMAGE_SIZE/);
    expect(() => resizeImage(gradient(2, 2), 2, 1.5)).toThrow(/DATA_IMAGE_SIZE/);
  });
});

test('fitImage takes the largest middle part of the aspect ratio, and resizes it', () => {
  // Every pixel tells its column and row.
  const of = (width: number, height: number): RgbImage => {
    const data = new Float32Array(width * height * 3);
    for (let i = 0; i < width * height; i++) data.set([i % width, Math.floor(i / width), 0], 3 * i);
    return { width, height, data };
  };
  // 12 x 8 for 2:1 keeps 12 x 6, from row 1; columns 1, 5, 9 on average of three, and rows 2, 5 of three.
  const wide = fitImage(of(12, 8), { width: 4, height: 2 });
  expect([wide.width, wide.height]).toEqual([4, 2]);
  const pixel = (image: RgbImage, x: number, y: number) =>
    [...image.data.subarray(3 * (y * image.width + x))].slice(0, 2);
  expect(pixel(wide, 0, 0)).toEqual([1, 2]);
  expect(pixel(wide, 3, 1)).toEqual([10, 5]);
  // 12 x 8 for 1:2 keeps 4 x 8, from column 4.
  const high = fitImage(of(12, 8), { width: 2, height: 4 });
  expect(pixel(high, 0, 0)).toEqual([4.5, 0.5]);
  expect(pixel(high, 1, 3)).toEqual([6.5, 6.5]);
  // A part of less than a pixel is one.
  expect(fitImage(of(1, 9), { width: 9, height: 1 })).toMatchObject({ width: 9, height: 1 });
  expect(fitImage(of(5, 7), { width: 3, height: 3 })).toEqual(squareImage(of(5, 7), 3));
});

test('centerCrop takes the middle, squareImage resizes it', () => {
  const image = { width: 4, height: 2, data: Float32Array.from({ length: 24 }, (_, i) => Math.floor(i / 3)) };
  const square = centerCrop(image);
  expect([0, 1, 2, 3].map((i) => square.data[i * 3])).toEqual([1, 2, 5, 6]);
  expect(squareImage(image, 1).data[0]).toBeCloseTo(3.5, 6);
});
