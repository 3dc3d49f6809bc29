import { encode } from 'fast-png';
import { zlibSync } from 'fflate';
import sharp from 'sharp';
import { decodePng, encodePng, readPngTexts, toBytes } from '../index.js';
import { end, header, imageData, type PngChunk, pngOf } from '../testing/png-file.js';

const image = { width: 2, height: 2, data: Float32Array.from({ length: 12 }, (_, i) => i / 6 - 1) };
const bytesOf = (text: string) => new TextEncoder().encode(text);
const withText = (...chunks: PngChunk[]) => pngOf([header(1, 1, 8, 0), ...chunks, imageData([0, 7]), end]);
const international = (text: Uint8Array, compressed = 0): PngChunk => [
  'iTXt',
  Uint8Array.from([...bytesOf('key'), 0, compressed, 0, ...bytesOf('de'), 0, ...bytesOf('Schlüssel'), 0, ...text]),
];

test('without texts the file is what the encoder gives', () => {
  const plain = encode({ width: 2, height: 2, data: toBytes(image.data), channels: 3, depth: 8 });
  expect(encodePng(image)).toEqual(plain);
  expect(encodePng(image, { texts: {} })).toEqual(plain);
});

test('texts come back, of any language; pixels are the same to every reader', async () => {
  const texts = { transfusion: '{"prompt":"ein rotes Herz ❤️, 赤い"}', 'A comment': '' };
  const file = encodePng(image, { texts });
  expect(Object.fromEntries(readPngTexts(file))).toEqual(texts);
  expect(decodePng(file)).toEqual(decodePng(encodePng(image)));
  const { data } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
  expect(new Uint8Array(data)).toEqual(toBytes(image.data));
  // libpng checks chunks, and knows the texts too.
  const { comments } = await sharp(file).metadata();
  expect(comments).toEqual(expect.arrayContaining([{ keyword: 'transfusion', text: texts.transfusion }]));
});

test('texts of all kinds are read, wherever they stand', () => {
  const latin: PngChunk = ['tEXt', Uint8Array.from([...bytesOf('Title'), 0, 0xfc])];
  const packed: PngChunk = ['zTXt', Uint8Array.from([...bytesOf('Packed'), 0, 0, ...zlibSync(bytesOf('abc'))])];
  const file = pngOf([
    header(1, 1, 8, 0),
    latin,
    imageData([0, 7]),
    packed,
    international(zlibSync(bytesOf('ü')), 1),
    end,
  ]);
  expect(Object.fromEntries(readPngTexts(file))).toEqual({ Title: 'ü', Packed: 'abc', key: 'ü' });
  expect(readPngTexts(encodePng(image)).size).toBe(0);
});

test('views into larger and into shared memory', () => {
  const file = encodePng(image, { texts: { key: 'ü' } });
  const shared = new Uint8Array(new SharedArrayBuffer(file.length + 9), 5, file.length);
  shared.set(file);
  expect(readPngTexts(shared).get('key')).toBe('ü');
});

describe('hostile and broken files are refused', () => {
  const bomb = zlibSync(new Uint8Array(8 * 2 ** 20));
  const cases: [string, Uint8Array, RegExp][] = [
    ['nothing', new Uint8Array(0), /empty/],
    ['no PNG', bytesOf('GIF89a'), /not a PNG/],
    ['an inflated megabyte', withText(international(bomb, 1)), /text of more than 1048576 bytes/],
    ['a megabyte', withText(international(new Uint8Array(2 ** 20 + 1).fill(65))), /text of more than 1048576 bytes/],
    ['no NUL', withText(['iTXt', bytesOf('key')]), /chunk "iTXt" is no text/],
    ['no NUL after the flags', withText(['iTXt', Uint8Array.of(65, 0, 0, 0)]), /chunk "iTXt" is no text/],
    ['not UTF-8', withText(international(Uint8Array.of(0xff))), /not UTF-8/],
    ['damaged', withText(international(Uint8Array.of(1, 2, 3), 1)), /compressed text that is damaged/],
  ];
  test.each(cases)('%s', (_, file, message) => {
    expect(() => readPngTexts(file, 'a.png')).toThrow(message);
    expect(() => readPngTexts(file, 'a.png')).toThrow(/IMAGE_UNREADABLE: a\.png/);
  });

  test('a wrong checksum, a length beyond the file, any cut', () => {
    const file = encodePng(image, { texts: { key: 'value' } });
    const changed = file.slice();
    changed[33 + 8 + 9]++;
    expect(() => readPngTexts(changed)).toThrow(/checksum of its chunk "iTXt" is wrong/);
    const long = file.slice();
    long[33] = 0xff;
    expect(() => readPngTexts(long)).toThrow(/truncated: chunk "iTXt"/);
    // Whatever is cut off: an error or fewer texts, never another one.
    for (let length = 0; length < file.length; length++) {
      try {
        expect([undefined, 'value']).toContain(readPngTexts(file.subarray(0, length)).get('key'));
      } catch (error) {
        expect(error).toMatchObject({ code: 'IMAGE_UNREADABLE' });
      }
    }
  });

  test.each<[Record<string, string>, RegExp]>([
    [{ '': 'a' }, /"" is no keyword/],
    [{ ' a': 'a' }, /no keyword/],
    [{ ['k'.repeat(80)]: 'a' }, /no keyword/],
    [{ 赤: 'a' }, /no keyword/],
    [{ key: 'a\0b' }, /NUL/],
    [{ key: 'a'.repeat(2 ** 20 + 1) }, /1048577 bytes/],
  ])('what PNG has no place for is not written: %#', (texts, message) => {
    expect(() => encodePng(image, { texts })).toThrow(message);
    expect(() => encodePng(image, { texts })).toThrow(/DATA_PNG_TEXT/);
  });
});
