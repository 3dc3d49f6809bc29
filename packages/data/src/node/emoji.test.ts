import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { TransfusionError } from '@transfusion/core';
import { demoEmoji, encodePng, imageOf } from '../index.js';
import { type EmojiOptions, loadEmoji, type ReadImage, readImage } from './index.js';

const resolve = createRequire(__filename).resolve;
const real = {
  styles: [{ folder: join(dirname(resolve('emoji-datasource-twitter/package.json')), 'img', 'twitter', '64') }],
  captionsFile: resolve('emojibase-data/en/data.json'),
};

const solid = (value: number) => encodePng({ width: 4, height: 4, data: new Float32Array(48).fill(value) });

let folder: string;
let flat: string;
let round: string;
let options: EmojiOptions;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-emoji-'));
  flat = join(folder, 'flat');
  round = join(folder, 'round');
  options = {
    styles: [{ folder: flat }],
    captionsFile: join(folder, 'data.json'),
    size: 2,
    cacheFolder: join(folder, 'cache'),
  };
  await mkdir(flat);
  await mkdir(round);
  await writeFile(join(folder, 'package.json'), '{"version":"1"}');
  await writeFile(join(flat, '1f44b.png'), solid(-1));
  await writeFile(join(flat, '1f44b-1f3ff.png'), solid(0));
  await writeFile(join(flat, '2764-fe0f.png'), solid(1));
  // Another package's way to write the same code points; it does not draw the dark hand.
  await writeFile(join(round, '2764.svg'), 'heart');
  await writeFile(join(round, '1F44B.webp'), 'hand');
  const data = [
    {
      label: 'Waving Hand',
      hexcode: '1F44B',
      tags: ['hi'],
      skins: [{ label: 'Waving Hand: dark', hexcode: '1F44B-1F3FF' }],
    },
    { label: 'Red Heart', hexcode: '2764', extra: 1 },
    { label: 'not drawn', hexcode: '1F999' },
  ];
  await writeFile(options.captionsFile, JSON.stringify(data));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const captions = async (more: Partial<EmojiOptions> = {}) =>
  (await loadEmoji({ ...options, ...more })).images.map(({ caption }) => caption);

/** Reads what the tests write into the files that are no PNG, too. */
const readTestImage: ReadImage = async (path, size) => {
  if (path.endsWith('.png')) return readImage(path, size);
  const text = await readFile(path, 'utf8');
  if (text === 'heart' || text === 'hand') return new Float32Array(size * size * 3).fill(text === 'heart' ? 1 : -1);
  throw new TransfusionError({ code: 'IMAGE_UNREADABLE', message: `${path}: not a drawing`, fix: 'draw it' });
};

describe('loadEmoji', () => {
  test('matches pictures and captions', async () => {
    const { size, images, broken } = await loadEmoji(options);
    expect([size, broken]).toEqual([2, []]);
    expect(images.map(({ caption, group, pixels }) => [caption, group, pixels.length, pixels[0]])).toEqual([
      ['waving hand', '1f44b', 12, 0],
      ['waving hand: dark', '1f44b', 12, 128],
      ['red heart', '2764', 12, 255],
    ]);
    expect(images.map(({ width, height }) => [width, height])).toEqual(new Array(3).fill([2, 2]));
    expect(await captions({ skinTones: false })).toEqual(['waving hand', 'red heart']);
    expect(await captions({ hexcodes: ['2764-FE0F', '1F44B'] })).toEqual(['red heart', 'waving hand']);
    expect(await captions({ count: 1 })).toEqual(['waving hand']);
  });

  test('several styles: words in captions, one group for an emoji in all styles and skin tones', async () => {
    const styles = [
      { folder: flat, words: 'flat style' },
      { folder: round, words: 'round style' },
    ];
    const { images } = await loadEmoji({ ...options, styles, readImage: readTestImage });
    expect(images.map(({ caption, group, pixels }) => [caption, group, pixels[0]])).toEqual([
      ['waving hand, flat style', '1f44b', 0],
      ['waving hand, round style', '1f44b', 0],
      ['waving hand: dark, flat style', '1f44b', 128],
      ['red heart, flat style', '2764', 255],
      ['red heart, round style', '2764', 255],
    ]);
    // The count is one of pictures, not of emoji.
    expect(await captions({ styles, readImage: readTestImage, count: 2 })).toEqual([
      'waving hand, flat style',
      'waving hand, round style',
    ]);
    expect(await captions({ styles: [...styles].reverse(), readImage: readTestImage, hexcodes: ['2764'] })).toEqual([
      'red heart, round style',
      'red heart, flat style',
    ]);
    // An emoji that only one of the styles draws can be asked for.
    await rm(join(flat, '2764-fe0f.png'));
    expect(await captions({ styles, readImage: readTestImage, hexcodes: ['2764'] })).toEqual([
      'red heart, round style',
    ]);
  });

  test('other captions: of tags and other words, the same ones however they are loaded', async () => {
    const styles = [{ folder: flat, words: 'flat style', otherWords: 'plain style' }];
    const { images } = await loadEmoji({ ...options, styles });
    expect(images.map(({ otherCaptions }) => otherCaptions)).toEqual([
      [
        'waving hand, plain style',
        'waving hand',
        'a waving hand in flat style',
        'a waving hand in plain style',
        'hi, flat style',
        'hi, plain style',
        'waving hand, hi, flat style',
        'waving hand, hi, plain style',
      ],
      // "dark" alone is no skin tone of emojibase.
      [
        'waving hand: dark, plain style',
        'waving hand: dark',
        'hi, flat style',
        'hi, plain style',
        'waving hand: dark, hi, flat style',
        'waving hand: dark, hi, plain style',
      ],
      ['red heart, plain style', 'red heart', 'a red heart in flat style', 'a red heart in plain style'],
    ]);
    const [only] = (await loadEmoji({ ...options, styles, hexcodes: ['2764'] })).images;
    expect(only).toEqual(images[2]);
  });

  test('a second load reads the cache, and gives the same', async () => {
    const first = await loadEmoji(options);
    for (const file of await readdir(flat)) await writeFile(join(flat, file), 'gone');
    expect(await loadEmoji(options)).toEqual(first);
    await expect(loadEmoji({ ...options, size: 3 })).rejects.toThrow(/IMAGE_UNREADABLE.*1f44b\.png/);
    await writeFile(join(folder, 'package.json'), '{"version":"2"}');
    await expect(loadEmoji(options)).rejects.toThrow(/IMAGE_UNREADABLE/);
  });

  test('a damaged cache is made again', async () => {
    await writeFile(join(flat, '1f44b-1f3ff.png'), 'broken');
    const lenient = { ...options, allowBroken: 0.5 };
    const first = await loadEmoji(lenient);
    const [name] = await readdir(join(folder, 'cache'));
    const path = join(folder, 'cache', name);
    const bytes = await readFile(path);
    const list = bytes.toString('latin1').split('\n')[2];
    expect(JSON.parse(list)).toHaveLength(1);
    const withList = (other: string) => Buffer.from(bytes.toString('latin1').replace(list, other), 'latin1');
    const damaged = [
      bytes.subarray(0, -1),
      Buffer.concat([bytes, Buffer.of(0)]),
      bytes.subarray(0, 60),
      Buffer.alloc(0),
      Buffer.alloc(bytes.length),
      withList('[]'),
      withList('{'),
      withList('[{"index":3,"reason":"beyond the last file"}]'),
      withList('[{"index":-1,"reason":""}]'),
    ];
    for (const wrong of damaged) {
      await writeFile(path, wrong);
      expect(await loadEmoji(lenient)).toEqual(first);
      expect(await readFile(path)).toEqual(bytes);
    }
    expect(await readdir(join(folder, 'cache'))).toEqual([name]);
  });

  test('says what is missing', async () => {
    const refusal = (more: Partial<EmojiOptions>) => expect(loadEmoji({ ...options, ...more })).rejects;
    await refusal({ styles: [{ folder: join(folder, 'x') }] }).toThrow(/DATA_UNREADABLE: images folder/);
    await refusal({ captionsFile: join(folder, 'x') }).toThrow(/DATA_UNREADABLE: captions/);
    await refusal({ hexcodes: ['1F999'] }).toThrow(/DATA_EMOJI_MISSING: emoji 1F999 has no picture/);
    await refusal({ hexcodes: ['1F000'] }).toThrow(/DATA_EMOJI_MISSING/);
    await refusal({ styles: [{ folder: __dirname }] }).toThrow(/DATA_EMOJI_MISSING.*none of which/);
    await refusal({ cacheFolder: join(options.captionsFile, 'x') }).toThrow(/DATA_CACHE_UNWRITABLE/);
    for (const text of ['', '{}', '[{"label":1}]']) {
      await writeFile(options.captionsFile, text);
      await refusal({}).toThrow(/DATA_CAPTIONS_FORMAT: .*data\.json: not an emojibase/);
    }
  });
});

describe('broken pictures', () => {
  test('are skipped and named, by the cache too', async () => {
    const path = join(flat, '1f44b.png');
    await writeFile(path, solid(0).subarray(0, 40));
    const lenient = { ...options, allowBroken: 0.4 };
    const first = await loadEmoji(lenient);
    expect(first.images.map(({ caption, pixels }) => [caption, pixels[0]])).toEqual([
      ['waving hand: dark', 128],
      ['red heart', 255],
    ]);
    expect(first.broken).toEqual([{ path, reason: expect.stringMatching(/^IMAGE_UNREADABLE: .*truncated.*$/) }]);
    // What was broken is not tried again: else this whole file would be found.
    await writeFile(path, solid(-1));
    expect(await loadEmoji(lenient)).toEqual(first);
    expect((await loadEmoji({ ...lenient, cacheFolder: undefined })).broken).toEqual([]);
    await expect(loadEmoji({ ...options, allowBroken: 0.3 })).rejects.toThrow(/DATA_BROKEN_FILES: 1 of 3 pictures/);
  });

  test('too many stop the loading, the first five named, and nothing is cached', async () => {
    const hexcodes = ['1F600', '1F601', '1F602', '1F603', '1F604', '1F605', '1F606'];
    await writeFile(options.captionsFile, JSON.stringify(hexcodes.map((hexcode) => ({ label: 'face', hexcode }))));
    for (const hexcode of hexcodes) await writeFile(join(flat, `${hexcode}.png`), '');
    const error = await loadEmoji({ ...options, allowBroken: 0.99 }).catch((caught: Error) => caught);
    expect(error).toMatchObject({ code: 'DATA_BROKEN_FILES' });
    const lines = (error as Error).message.split('\n');
    expect(lines[0]).toMatch(/7 of 7 pictures cannot be used:$/);
    expect(lines.slice(1, 6).map((line) => /1F60\d\.png: .*empty/.exec(line)?.[0].slice(0, 5))).toEqual(
      hexcodes.slice(0, 5),
    );
    expect(lines[6]).toBe('  and 2 more');
    expect(await readdir(folder)).not.toContain('cache');
    expect((await loadEmoji({ ...options, allowBroken: 1 })).broken).toHaveLength(7);
  });

  test('by default one in a hundred', async () => {
    const hexcodes = Array.from({ length: 200 }, (_, i) => (0x1f600 + i).toString(16));
    await writeFile(options.captionsFile, JSON.stringify(hexcodes.map((hexcode) => ({ label: 'face', hexcode }))));
    for (const [i, hexcode] of hexcodes.entries()) {
      await writeFile(join(flat, `${hexcode}.png`), i < 2 ? 'broken' : solid(0));
    }
    const { images, broken } = await loadEmoji(options);
    expect([images.length, broken.length]).toEqual([198, 2]);
    await expect(loadEmoji({ ...options, count: 199 })).rejects.toThrow(/DATA_BROKEN_FILES: 2 of 199/);
  });

  test('what a reader refuses is broken; its other errors are errors', async () => {
    await writeFile(join(round, '2764.svg'), 'scribble');
    const given = { ...options, styles: [{ folder: round }], allowBroken: 1 };
    const path = join(round, '2764.svg');
    expect((await loadEmoji({ ...given, readImage: readTestImage })).broken).toEqual([
      { path, reason: `IMAGE_UNREADABLE: ${path}: not a drawing` },
    ]);
    const failing: ReadImage = () => Promise.reject(new RangeError('out of memory'));
    await expect(loadEmoji({ ...given, cacheFolder: undefined, readImage: failing })).rejects.toThrow(RangeError);
  });

  test('progress counts every picture', async () => {
    const calls: [number, number][] = [];
    await loadEmoji({ ...options, onProgress: (done, total) => calls.push([done, total]) });
    expect(calls).toEqual([
      [1, 3],
      [2, 3],
      [3, 3],
    ]);
  });
});

describe('the demo set', () => {
  test('the pictures are these, to the byte', async () => {
    const { images } = await loadEmoji({ ...real, size: 24, hexcodes: demoEmoji(32) });
    const hash = createHash('sha256');
    for (const { pixels } of images) hash.update(pixels);
    expect(hash.digest('hex')).toBe('965cc3c6fe49144b7b8cbcd0de9aecd9941819eb9f10389b31d941cf96c43285');
  });

  test('64 emoji with unique short captions that look unlike each other', async () => {
    const { images } = await loadEmoji({ ...real, size: 24, hexcodes: demoEmoji(64) });
    expect(new Set(images.map(({ caption }) => caption)).size).toBe(64);
    for (const { caption } of images) expect(caption).toMatch(/^[a-z0-9 ]{3,16}$/);
    const data = images.map((image) => imageOf(image).data);
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 64; i++) {
      for (let j = 0; j < i; j++) {
        let squares = 0;
        data[i].forEach((value, at) => {
          squares += (value - data[j][at]) ** 2;
        });
        least = Math.min(least, squares / data[i].length);
      }
    }
    // Measured 0.108 in [-1, 1] units: moon and banana.
    expect(least).toBeGreaterThan(0.1);
  });

  test('counts', () => {
    expect(demoEmoji()).toHaveLength(32);
    expect(demoEmoji(5)).toEqual(demoEmoji(64).slice(0, 5));
    expect(() => demoEmoji(65)).toThrow(/DATA_DEMO_COUNT.*65.*64/);
  });
});
