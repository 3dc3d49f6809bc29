import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { demoEmoji, encodePng, toBytes } from '../index.js';
import { type EmojiOptions, loadEmojiDataset } from './index.js';

const resolve = createRequire(__filename).resolve;
const real = {
  imagesFolder: join(dirname(resolve('emoji-datasource-twitter/package.json')), 'img', 'twitter', '64'),
  captionsFile: resolve('emojibase-data/en/data.json'),
};

let folder: string;
let options: EmojiOptions;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-emoji-'));
  options = {
    imagesFolder: join(folder, 'img'),
    captionsFile: join(folder, 'data.json'),
    size: 2,
    cacheFolder: join(folder, 'cache'),
  };
  await mkdir(options.imagesFolder);
  await writeFile(join(folder, 'package.json'), '{"version":"1"}');
  const picture = (value: number) => encodePng({ width: 4, height: 4, data: new Float32Array(48).fill(value) });
  await writeFile(join(options.imagesFolder, '1f44b.png'), picture(-1));
  await writeFile(join(options.imagesFolder, '1f44b-1f3ff.png'), picture(0));
  await writeFile(join(options.imagesFolder, '2764-fe0f.png'), picture(1));
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

describe('loadEmojiDataset', () => {
  test('matches pictures and captions', async () => {
    const emoji = await loadEmojiDataset(options);
    expect(emoji.map(({ caption, hexcode, tags }) => [caption, hexcode, tags])).toEqual([
      ['waving hand', '1F44B', ['hi']],
      ['waving hand: dark', '1F44B-1F3FF', ['hi']],
      ['red heart', '2764', []],
    ]);
    expect(emoji.map(({ image }) => [image.width, image.height, toBytes(image.data)[0]])).toEqual([
      [2, 2, 0],
      [2, 2, 128],
      [2, 2, 255],
    ]);
    expect((await loadEmojiDataset({ ...options, skinTones: false })).map(({ hexcode }) => hexcode)).toEqual([
      '1F44B',
      '2764',
    ]);
    expect(
      (await loadEmojiDataset({ ...options, hexcodes: ['2764-FE0F', '1F44B'] })).map(({ caption }) => caption),
    ).toEqual(['red heart', 'waving hand']);
    expect(await loadEmojiDataset({ ...options, count: 1 })).toHaveLength(1);
  });

  test('a second load reads the cache, and gives the same', async () => {
    const first = await loadEmojiDataset(options);
    for (const file of await readdir(options.imagesFolder)) await writeFile(join(options.imagesFolder, file), 'gone');
    expect(await loadEmojiDataset(options)).toEqual(first);
    await expect(loadEmojiDataset({ ...options, size: 3 })).rejects.toThrow(/IMAGE_UNREADABLE.*1f44b\.png/);
    await writeFile(join(folder, 'package.json'), '{"version":"2"}');
    await expect(loadEmojiDataset(options)).rejects.toThrow(/IMAGE_UNREADABLE/);
  });

  test('a damaged cache is made again', async () => {
    const first = await loadEmojiDataset(options);
    const [name] = await readdir(join(folder, 'cache'));
    const path = join(folder, 'cache', name);
    const bytes = await readFile(path);
    for (const damaged of [bytes.subarray(0, -1), Buffer.alloc(0), Buffer.alloc(bytes.length)]) {
      await writeFile(path, damaged);
      expect(await loadEmojiDataset(options)).toEqual(first);
      expect(await readFile(path)).toEqual(bytes);
    }
    expect(await readdir(join(folder, 'cache'))).toEqual([name]);
  });

  test('says what is missing', async () => {
    await expect(loadEmojiDataset({ ...options, imagesFolder: join(folder, 'x') })).rejects.toThrow(
      /DATA_UNREADABLE: images folder/,
    );
    await expect(loadEmojiDataset({ ...options, captionsFile: join(folder, 'x') })).rejects.toThrow(
      /DATA_UNREADABLE: captions/,
    );
    await expect(loadEmojiDataset({ ...options, hexcodes: ['1F999'] })).rejects.toThrow(
      /DATA_EMOJI_MISSING: emoji 1F999 has no picture/,
    );
    await expect(loadEmojiDataset({ ...options, hexcodes: ['1F000'] })).rejects.toThrow(/DATA_EMOJI_MISSING/);
    await expect(loadEmojiDataset({ ...options, imagesFolder: __dirname })).rejects.toThrow(
      /DATA_EMOJI_MISSING.*none of which/,
    );
    await expect(loadEmojiDataset({ ...options, cacheFolder: join(options.captionsFile, 'x') })).rejects.toThrow(
      /DATA_CACHE_UNWRITABLE/,
    );
    for (const text of ['', '{}', '[{"label":1}]']) {
      await writeFile(options.captionsFile, text);
      await expect(loadEmojiDataset(options)).rejects.toThrow(/DATA_CAPTIONS_FORMAT: .*data\.json: not an emojibase/);
    }
  });
});

describe('the demo set', () => {
  test('64 emoji with unique short captions that look unlike each other', async () => {
    const emoji = await loadEmojiDataset({ ...real, size: 24, hexcodes: demoEmoji(64) });
    expect(new Set(emoji.map(({ caption }) => caption)).size).toBe(64);
    for (const { caption } of emoji) expect(caption).toMatch(/^[a-z0-9 ]{3,16}$/);
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 64; i++) {
      for (let j = 0; j < i; j++) {
        let squares = 0;
        emoji[i].image.data.forEach((value, at) => {
          squares += (value - emoji[j].image.data[at]) ** 2;
        });
        least = Math.min(least, squares / emoji[i].image.data.length);
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
