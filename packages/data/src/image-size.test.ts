import fc from 'fast-check';
import {
  findImageSizeTokens,
  formatImageSize,
  type ImageSize,
  imageSizeToken,
  imageSizeTokens,
  nearestImageSize,
  parseImageSize,
} from './index.js';

const size = (width: number, height: number): ImageSize => ({ width, height });
const anySize = fc.record({ width: fc.integer({ min: 1, max: 9999 }), height: fc.integer({ min: 1, max: 9999 }) });

describe('written sizes', () => {
  test('are read back, width first', () => {
    expect(formatImageSize(size(64, 32))).toBe('64x32');
    expect(imageSizeToken(size(14, 14))).toBe('<|image:14x14|>');
    fc.assert(
      fc.property(anySize, (given) => {
        expect(parseImageSize(formatImageSize(given))).toEqual(given);
        const token = imageSizeToken(given);
        expect(findImageSizeTokens(new Map([[token, 7]]))).toEqual(new Map([[formatImageSize(given), 7]]));
      }),
      { seed: 1 },
    );
  });

  test.each([
    '',
    'x',
    '64',
    '64x',
    'x32',
    '0x32',
    '64x0',
    '064x32',
    '-64x32',
    '6.4x32',
    '64,32',
    '64 x 32',
    '64x32x3',
    '64X32',
    '64x32\n',
    '10000x1',
    '6４x32',
  ])('%j is none', (text) => {
    expect(parseImageSize(text)).toBeUndefined();
    expect(findImageSizeTokens(new Map([[`<|image:${text}|>`, 1]])).size).toBe(0);
  });
});

describe('tokens of sizes', () => {
  const tokens = (...spellings: string[]) => new Map(spellings.map((spelling, i) => [spelling, 100 + i]));
  const of = (sizes: ImageSize[], specialTokens: ReadonlyMap<string, number>) =>
    imageSizeTokens({ sizes, specialTokens, where: 'tokenizer.json', code: 'SOME_CODE' });

  test('are found among others by their spelling', () => {
    const special = tokens('<|bos|>', '<|image:14x14|>', '<|image|>', '<|image:8x16|>', '<|image:8x16|');
    expect(of([size(8, 16), size(14, 14)], special)).toEqual(
      new Map([
        ['14x14', 101],
        ['8x16', 103],
      ]),
    );
  });

  test('that lack, and those of no size, are named', () => {
    const special = tokens('<|image:14x14|>', '<|image:8x16|>');
    expect(() => of([size(14, 14), size(8, 16), size(16, 8), size(4, 4)], special)).toThrow(
      /^SOME_CODE: tokenizer.json has no <\|image:16x8\|>, <\|image:4x4\|> \(image sizes: 14x14, 8x16, 16x8, 4x4\)/,
    );
    expect(() => of([size(14, 14)], special)).toThrow(
      /^SOME_CODE: tokenizer.json has <\|image:8x16\|>, and no image is of that size \(image sizes: 14x14\)/,
    );
  });
});

describe('the nearest size', () => {
  const sizes = [size(64, 64), size(64, 32), size(32, 64)];
  const nearest = (width: number, height: number, of = sizes) =>
    formatImageSize(nearestImageSize(of, size(width, height)));

  test('is that of the nearest aspect ratio, by their quotient', () => {
    expect(nearest(1000, 1000)).toBe('64x64');
    expect(nearest(4000, 2000)).toBe('64x32');
    expect(nearest(2, 9)).toBe('32x64');
    // The border between 1:1 and 2:1 is at the square root of 2.
    expect([nearest(1410, 1000), nearest(1420, 1000)]).toEqual(['64x64', '64x32']);
    expect([nearest(1000, 1410), nearest(1000, 1420)]).toEqual(['64x64', '32x64']);
  });

  test('of equal ratios the nearest area decides, then the order', () => {
    const squares = [size(16, 16), size(64, 64), size(256, 256)];
    expect(nearest(60, 60, squares)).toBe('64x64');
    expect(nearest(2000, 2000, squares)).toBe('256x256');
    // As far from 1:1 as each other, and of one area.
    expect(nearest(5, 5, [size(32, 64), size(64, 32)])).toBe('32x64');
    expect(nearest(5, 5, [size(64, 32), size(32, 64)])).toBe('64x32');
  });

  test('is the size itself where it is there', () => {
    fc.assert(
      fc.property(fc.array(anySize, { minLength: 1, maxLength: 8 }), fc.nat(), (all, index) => {
        const own = all[index % all.length];
        expect(nearestImageSize(all, own)).toEqual(own);
      }),
      { seed: 2 },
    );
  });
});
