import { imageQuality, psnrOf, structuralSimilarity } from './image-quality.js';

const picture = (value: (i: number) => number) => Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => value(i));
const waves = picture((i) => 128 + 100 * Math.sin(i / 17));

test('PSNR of a constant error is that of its definition', () => {
  const gray = picture(() => 100);
  // 20 log10(255 / 10) and 20 log10(255 / 1)
  expect(
    psnrOf(
      gray,
      picture(() => 110),
    ),
  ).toBeCloseTo(28.1308, 4);
  expect(
    psnrOf(
      gray,
      picture(() => 101),
    ),
  ).toBeCloseTo(48.1308, 4);
  expect(psnrOf(gray, gray)).toBe(95);
});

test('SSIM is 1 for equal pictures, near 1 for a shift in brightness, near 0 for noise', () => {
  const noise = picture((i) => (i * 7919 + ((i * i) % 251)) % 256);
  expect(structuralSimilarity(waves, waves)).toBeCloseTo(1, 10);
  expect(structuralSimilarity(waves, noise)).toBeLessThan(0.2);
  const brighter = structuralSimilarity(
    waves,
    waves.map((value) => value + 10),
  );
  expect(brighter).toBeGreaterThan(0.9);
  expect(brighter).toBeLessThan(1);
});

test('SSIM is not a number for pictures below its window', () => {
  const small = new Uint8Array(10 * 10 * 3);
  expect(imageQuality(small, small)).toEqual({ psnr: 95, ssim: Number.NaN });
  expect(imageQuality(waves, waves).ssim).toBeCloseTo(1, 10);
});
