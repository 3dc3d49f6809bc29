import { link, mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { encodePng } from '../index.js';
import { type ImageFolderOptions, loadImageFolder, type ReadImage } from './index.js';

/** A PNG file of one brightness, from 0 to 255. */
const solid = (value: number) => encodePng({ width: 4, height: 4, data: new Float32Array(48).fill(value / 127.5 - 1) });

let outside: string;
let folder: string;
beforeEach(async () => {
  outside = await mkdtemp(join(tmpdir(), 'transfusion-folder-'));
  folder = join(outside, 'pictures');
  await mkdir(folder);
});
afterEach(() => rm(outside, { recursive: true, force: true }));

async function put(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  return path;
}

const load = (more: Partial<ImageFolderOptions> = {}) => loadImageFolder({ folder, size: 2, ...more });
/** [caption, group, brightness] of each picture. */
const loaded = async (more: Partial<ImageFolderOptions> = {}) =>
  (await load(more)).images.map(({ caption, group, pixels }) => [caption, group, pixels[0]]);
/** [path within the folder, reason] of each broken picture. */
const brokenOf = async (more: Partial<ImageFolderOptions> = {}) =>
  (await load({ allowBroken: 1, ...more })).broken.map(({ path, reason }) => [path.slice(folder.length + 1), reason]);
/** [path within the folder, reason] of each file that was not tried. */
const leftOutOf = async (more: Partial<ImageFolderOptions> = {}) =>
  (await load(more)).leftOut.map(({ path, reason }) => [path.slice(folder.length + 1), reason]);
const lines = (...rows: unknown[]) => put('captions.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'));

describe('captions in text files', () => {
  test('pictures of all subfolders, sorted by name', async () => {
    await put('b.png', solid(2));
    await put('b.txt', 'a bee');
    await put('a/z.png', solid(1));
    await put('a/z.txt', 'a zebra');
    await put('a.b/deep/er/A.PNG', solid(3));
    await put('a.b/deep/er/A.txt', 'an A');
    await put('README.md', 'no picture');
    await put('.hidden/c.png', solid(9));
    await put('.c.png', solid(9));
    expect(await load()).toMatchObject({ size: 2, broken: [] });
    expect((await load()).images.map(({ name }) => name)).toEqual(['a.b/deep/er/A.PNG', 'a/z.png', 'b.png']);
    expect((await load()).images.map(({ width, height }) => [width, height])).toEqual(new Array(3).fill([2, 2]));
    expect(await leftOutOf()).toEqual([['README.md', 'it is no picture, by its name']]);
    expect(await loaded()).toEqual([
      ['an A', 'a.b/deep/er/A.PNG', 3],
      ['a zebra', 'a/z.png', 1],
      ['a bee', 'b.png', 2],
    ]);
    expect(await loaded({ count: 2 })).toEqual((await loaded()).slice(0, 2));
  });

  test('white space is collapsed, a byte order mark removed', async () => {
    await put('a.png', solid(1));
    await put('a.txt', '\ufeff\r\n\r\n  two\tlines \r\n of  Ünïcode 🍌 \n');
    expect(await loaded()).toEqual([['two lines of Ünïcode 🍌', 'a.png', 1]]);
  });

  test('pictures without a usable caption are broken', async () => {
    const names = ['binary', 'empty', 'fine', 'folder', 'huge', 'missing'];
    for (const name of names) await put(`${name}.png`, solid(1));
    await put('binary.txt', Uint8Array.of(0x66, 0xff));
    await put('empty.txt', ' \n');
    await put('fine.txt', 'x'.repeat(2 ** 20));
    await mkdir(join(folder, 'folder.txt'));
    await put('huge.txt', 'x'.repeat(2 ** 20 + 1));
    expect((await loaded({ allowBroken: 1 })).map(([, group]) => group)).toEqual(['fine.png']);
    expect(await brokenOf()).toEqual([
      ['binary.png', 'its caption binary.txt: it is not UTF-8'],
      ['empty.png', 'no caption'],
      ['folder.png', 'no caption'],
      ['huge.png', 'its caption huge.txt: it has 1048577 bytes, the most is 1048576'],
      ['missing.png', 'no caption'],
    ]);
  });
});

describe('captions in lines of JSON', () => {
  test('win over text files; other fields and blank lines do not matter; a picture may have several', async () => {
    for (const [i, name] of ['a.png', 'b.png', 'c/d.png'].entries()) await put(name, solid(i));
    await put('a.txt', 'from the text file');
    const rows = [
      { file_name: './c/../c/d.png', text: '  a  dog ', label: 3, image: { bytes: null } },
      { image: 'b.png', caption: 'a bee' },
      { file_name: 'a.png', text: 'an ape' },
      { file_name: 'c/d.png', text: 'a good dog' },
    ];
    await put('metadata.jsonl', rows.map((row) => `${JSON.stringify(row)}\r\n\r\n`).join(''));
    const expected = [
      ['an ape', 'a.png', 0],
      ['a bee', 'b.png', 1],
      ['a dog', 'c/d.png', 2],
      ['a good dog', 'c/d.png', 2],
    ];
    expect(await loaded()).toEqual(expected);
    await lines({ file_name: 'b.png', text: 'captions.jsonl comes first' });
    expect(await loaded({ allowBroken: 1 })).toEqual([['captions.jsonl comes first', 'b.png', 1]]);
    expect(await loaded({ captionsFile: join(folder, 'metadata.jsonl') })).toEqual(expected);
  });

  test('pictures without lines, lines without pictures and empty texts are broken', async () => {
    for (const name of ['a.png', 'b.png', 'c.png', 'd.png']) await put(name, solid(1));
    await put('b.txt', 'not used');
    await put('e.xyz', solid(5));
    await lines(
      { file_name: 'a.png', text: 'an ape' },
      { file_name: 'c.png', text: ' ' },
      { file_name: 'd.png', text: null },
      { file_name: 'e.xyz', text: 'a picture by another name' },
      { file_name: 'f.png', text: 'gone' },
      { file_name: 'captions.jsonl', text: 'itself' },
    );
    expect(await loaded({ allowBroken: 1 })).toEqual([
      ['an ape', 'a.png', 1],
      ['a picture by another name', 'e.xyz', 5],
    ]);
    expect(await brokenOf()).toEqual([
      ['b.png', 'no caption in captions.jsonl'],
      ['c.png', 'no caption in captions.jsonl'],
      ['d.png', 'no caption in captions.jsonl'],
      ['f.png', 'there is no such picture'],
      ['captions.jsonl', expect.stringMatching(/IMAGE_UNREADABLE: .*it is of no known kind of image/)],
    ]);
    expect(await leftOutOf({ allowBroken: 1 })).toEqual([['b.txt', 'captions are read from a captions file instead']]);
  });

  test.each<[string, string, RegExp]>([
    ['no JSON', '{"file_name": "a.png"', /line 2: .*JSON/],
    ['no object', '"a.png"', /line 2: it is no object with `file_name`/],
    ['no name', '{"text": "a"}', /line 2: it has no `file_name` \(or `image`\); it has "text"/],
    ['no text', '{"file_name": "a.png", "label": 1}', /line 2: it has no `text` .*; it has "file_name", "label"/],
    ['a number for a text', '{"file_name": "a.png", "text": 1}', /line 2: text: .*expected string/],
    ['a vast text', JSON.stringify({ file_name: 'a.png', text: 'x'.repeat(2 ** 20 + 1) }), /line 2: text: Too big/],
    ['an absolute name', '{"file_name": "/etc/a.png", "text": "a"}', /line 2: file_name: is not relative/],
    ["a drive's name", '{"file_name": "C:\\\\a.png", "text": "a"}', /line 2: file_name: is not relative/],
    ['a name outside', '{"file_name": "../a.png", "text": "a"}', /line 2: file_name: leaves the folder/],
    ['one in disguise', '{"image": "b/.././../a.png", "caption": "a"}', /line 2: image: leaves the folder/],
    ['NUL', '{"file_name": "a.png\\u0000.txt", "text": "a"}', /line 2: file_name: contains NUL/],
  ])('refuses: %s', async (_, line, message) => {
    await put('a.png', solid(1));
    await writeFile(join(outside, 'a.png'), solid(1));
    const path = await put('captions.jsonl', `{"file_name": "a.png", "text": "an ape"}\n${line}\n`);
    const error = await load({ allowBroken: 1 }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'DATA_CAPTIONS_FORMAT', message: expect.stringMatching(message) });
    expect(error).toMatchObject({ message: expect.stringContaining(path) });
  });

  test('refuses what is not UTF-8, and a file that is not there', async () => {
    await put('a.png', solid(1));
    await put('captions.jsonl', Buffer.from('{"file_name": "a.png", "text": "caf\xe9"}', 'latin1'));
    await expect(load()).rejects.toThrow(/DATA_CAPTIONS_FORMAT: .*captions\.jsonl: it is not UTF-8/);
    await expect(load({ captionsFile: join(folder, 'x.jsonl') })).rejects.toThrow(
      /DATA_UNREADABLE: captions .*x\.jsonl/,
    );
  });
});

describe('links', () => {
  test('that leave the folder, or lead nowhere, are not followed', async () => {
    await put('a.png', solid(1));
    await put('a.txt', 'an ape');
    await writeFile(join(outside, 'secret.png'), solid(9));
    await writeFile(join(outside, 'secret.txt'), 'a secret');
    await put('c.png', solid(3));
    await symlink(join(outside, 'secret.png'), join(folder, 'b.png'));
    await put('b.txt', 'a bee');
    await symlink('../secret.txt', join(folder, 'c.txt'));
    await symlink('nowhere', join(folder, 'd.png'));
    await symlink(outside, join(folder, 'e'));
    await symlink('.', join(folder, 'f'));
    expect(await loaded({ allowBroken: 1 })).toEqual([['an ape', 'a.png', 1]]);
    expect(await brokenOf()).toEqual([
      ['b.png', 'it is a link that leaves the folder'],
      ['c.png', 'its caption c.txt: it is a link that leaves the folder'],
      ['d.png', expect.stringContaining('it does not exist')],
    ]);
    expect(await leftOutOf({ allowBroken: 1 })).toEqual([
      ['e', 'it is a link that leaves the folder'],
      ['f', 'it is a link to a folder, which is not followed'],
    ]);
    await symlink('../secret.txt', join(folder, 'captions.jsonl'));
    await expect(load()).rejects.toThrow(/DATA_UNREADABLE: .*captions\.jsonl: it is a link that leaves the folder/);
  });

  test('inside the folder are followed; the link and its picture are one group', async () => {
    await put('store/..a.png', solid(1));
    await symlink('store/..a.png', join(folder, 'b.png'));
    await put('store/x.png', solid(2));
    await symlink('store/x.png', join(folder, 'c.png'));
    for (const name of ['b', 'c', 'store/x']) await put(`${name}.txt`, name);
    expect(await loaded()).toEqual([
      ['b', 'store/..a.png', 1],
      ['c', 'store/x.png', 2],
      ['store/x', 'store/x.png', 2],
    ]);
  });

  test('a folder that is itself a link', async () => {
    await put('a.png', solid(1));
    await put('a.txt', 'an ape');
    await symlink(folder, join(outside, 'link'));
    expect(await loaded({ folder: join(outside, 'link') })).toEqual([['an ape', 'a.png', 1]]);
  });
});

describe('reading', () => {
  test('all kinds of pictures go to the reader, whatever their names', async () => {
    const kinds = [
      'CR2',
      'apng',
      'avif',
      'bmp',
      'gif',
      'heic',
      'jfif',
      'jpeg',
      'jpg',
      'jxl',
      'png',
      'svg',
      'tif',
      'webp',
    ];
    for (const kind of kinds) {
      await put(`${kind}.${kind}`, solid(7));
      await put(`${kind}.txt`, kind);
    }
    expect(await loaded()).toEqual(kinds.map((kind) => [kind, `${kind}.${kind}`, 7]));
    const seen: string[] = [];
    const readImage: ReadImage = async (path, size) => {
      seen.push(path);
      return new Float32Array(size * size * 3).fill(1);
    };
    expect((await loaded({ readImage })).map(([, , value]) => value)).toEqual(kinds.map(() => 255));
    expect(seen).toEqual(kinds.map((kind) => join(folder, `${kind}.${kind}`)));
  });

  test('a reader that gives something else than an image', async () => {
    await put('a.png', solid(7));
    await put('a.txt', 'an ape');
    const given = (values: number[]) => load({ readImage: async () => Float32Array.from(values) });
    await expect(given([1, 2, 3])).rejects.toThrow(
      /DATA_IMAGE_SHAPE: readImage gave 3 values instead of \[2, 2, 3\] = 12/,
    );
    await expect(given([...new Array(11).fill(0), Number.NaN])).rejects.toThrow(
      /DATA_IMAGE_NOT_FINITE: .*NaN .*a\.png/,
    );
  });

  test('the allowed share is one of all pictures, whatever is wrong with them', async () => {
    for (let i = 0; i < 10; i++) {
      await put(`${i}.png`, i === 0 ? 'broken' : solid(i));
      if (i !== 1) await put(`${i}.txt`, `number ${i}`);
    }
    expect(await brokenOf({ allowBroken: 0.2 })).toEqual([
      ['1.png', 'no caption'],
      ['0.png', expect.stringMatching(/IMAGE_UNREADABLE.*0\.png/)],
    ]);
    await expect(load({ allowBroken: 0.19 })).rejects.toThrow(
      /DATA_BROKEN_FILES: 2 of 10 pictures[\s\S]*1\.png: no caption\n[\s\S]*IMAGE_UNREADABLE: .*0\.png: it is of no known kind of image[\s\S]*captions: 'optional'/,
    );
    await expect(load()).rejects.toThrow(/DATA_BROKEN_FILES/);
    expect((await load({ allowBroken: 0.2, count: 10 })).images).toHaveLength(8);
    await expect(load({ allowBroken: 0.2, count: 9 })).rejects.toThrow(/DATA_BROKEN_FILES: 2 of 9/);
  });

  test('no picture is read where too many have no caption', async () => {
    await put('a.jpg', 'x');
    await put('b.jpg', 'x');
    await put('a.txt', 'an ape');
    const readImage = jest.fn();
    await expect(load({ readImage })).rejects.toThrow(/DATA_BROKEN_FILES: 1 of 2/);
    expect(readImage).not.toHaveBeenCalled();
  });

  test('the cache is used until a file changes', async () => {
    const padded = (value: number, length: number) => Buffer.concat([solid(value), Buffer.alloc(length)], length);
    const path = await put('a.png', padded(1, 100));
    await put('a.txt', 'an ape');
    const cached = { cacheFolder: join(outside, 'cache') };
    const rewrite = async (value: number, length: number, year: number) => {
      await writeFile(path, padded(value, length));
      await utimes(path, new Date(year, 1), new Date(year, 1));
    };
    await rewrite(1, 100, 2020);
    const first = await loaded(cached);
    // As long and as old as before: the cache answers.
    await rewrite(200, 100, 2020);
    expect(await loaded(cached)).toEqual(first);
    expect(await loaded()).toEqual([['an ape', 'a.png', 200]]);
    // Captions are not in the cache.
    await put('a.txt', 'an animal');
    expect(await loaded(cached)).toEqual([['an animal', 'a.png', 1]]);
    await rewrite(200, 100, 2021);
    expect(await loaded(cached)).toEqual([['an animal', 'a.png', 200]]);
    await rewrite(90, 101, 2021);
    expect(await loaded(cached)).toEqual([['an animal', 'a.png', 90]]);
  });

  test('a hard link is a picture of its own', async () => {
    await link(await put('a.png', solid(1)), join(folder, 'b.png'));
    for (const name of ['a', 'b']) await put(`${name}.txt`, name);
    expect(await loaded()).toHaveLength(2);
  });
});

describe('says what is missing', () => {
  test('in an empty folder', async () => {
    await expect(load()).rejects.toThrow(
      /DATA_FOLDER_EMPTY: .*pictures does not have a picture with a caption: it is empty\n.*put pictures there.*NAME\.txt/,
    );
    await expect(load({ captions: 'none' })).rejects.toThrow(/does not have a picture that can be read: it is empty\n/);
  });

  test('where no picture has a caption, both ways out', async () => {
    await put('a.png', solid(1));
    await put('b.png', solid(1));
    await put('data/train-00000-of-00001.parquet', 'PAR1');
    await expect(load({ allowBroken: 1 })).rejects.toThrow(
      /DATA_FOLDER_EMPTY: .*: it has 2 \.png, 1 \.parquet; the first of 2 that cannot be used: .*a\.png: no caption\n.*NAME\.txt.*captions\.jsonl.*captions: 'none'/,
    );
    expect(await leftOutOf({ captions: 'none' })).toEqual([
      ['data/train-00000-of-00001.parquet', expect.stringContaining('a Parquet file is not looked into')],
    ]);
  });

  test('where there is no folder', async () => {
    await expect(load({ folder: join(outside, 'x') })).rejects.toThrow(
      /DATA_UNREADABLE: folder .*x: it does not exist/,
    );
    const file = await put('a.png', solid(1));
    await expect(load({ folder: file })).rejects.toThrow(/DATA_UNREADABLE: folder .*a\.png: .*ENOTDIR/);
  });
});

describe('several sizes', () => {
  const sizes = [
    { width: 2, height: 2 },
    { width: 4, height: 2 },
    { width: 2, height: 4 },
  ];
  const picture = (width: number, height: number, value: number) =>
    encodePng({ width, height, data: new Float32Array(width * height * 3).fill(value / 127.5 - 1) });
  const putAll = async () => {
    const kinds = { a: [7, 5], b: [20, 9], c: [6, 13], d: [30, 31] };
    for (const [i, [name, [width, height]]] of Object.entries(kinds).entries()) {
      await put(`${name}.png`, picture(width, height, 10 * i));
      await put(`${name}.txt`, name);
    }
  };
  const shapes = async (more: Partial<ImageFolderOptions> = {}) =>
    (await load({ sizes, ...more })).images.map(({ width, height, pixels }) => {
      expect(pixels).toHaveLength(width * height * 3);
      return [width, height, pixels[0]];
    });

  test('each picture gets the one that is nearest in aspect, and a cache gives it back', async () => {
    await putAll();
    const expected = [
      [2, 2, 0],
      [4, 2, 10],
      [2, 4, 20],
      [2, 2, 30],
    ];
    expect(await shapes()).toEqual(expected);
    expect((await load({ sizes })).size).toBeUndefined();
    const cacheFolder = join(outside, 'cache');
    const first = await load({ sizes, cacheFolder });
    expect(await shapes({ cacheFolder })).toEqual(expected);
    expect((await load({ sizes, cacheFolder })).images).toEqual(first.images);
    const [name] = await readdir(cacheFolder);
    // Four bytes say which size, the pixels follow.
    const bytes = await readFile(join(cacheFolder, name));
    expect(bytes.subarray(-(4 + 3 * (4 + 8 + 8 + 4)))[0]).toBe(0);
    // Pictures come from it: one that is changed there, in its last pixel, shows.
    bytes[bytes.length - 1] = 99;
    await writeFile(join(cacheFolder, name), bytes);
    expect((await load({ sizes, cacheFolder })).images[3].pixels.at(-1)).toBe(99);
    // Cut off, or of a size that there is not, it is read anew.
    for (const damaged of [bytes.subarray(0, -1), Buffer.concat([bytes, Buffer.alloc(1)])]) {
      await writeFile(join(cacheFolder, name), damaged);
      expect((await load({ sizes, cacheFolder })).images).toEqual(first.images);
    }
    const wrong = Buffer.from(bytes);
    wrong[bytes.length - (4 + 3 * (4 + 8 + 8 + 4))] = 7;
    await writeFile(join(cacheFolder, name), wrong);
    expect((await load({ sizes, cacheFolder })).images).toEqual(first.images);
    // Other sizes are kept apart.
    expect(
      (await shapes({ cacheFolder, sizes: [sizes[0], sizes[2]] })).map(([width, height]) => [width, height]),
    ).toEqual([
      [2, 2],
      [2, 2],
      [2, 4],
      [2, 2],
    ]);
  });

  test('a reader of squares is refused beside them', async () => {
    await putAll();
    await expect(load({ sizes, readImage: async () => new Float32Array(12) })).rejects.toThrow(
      /DATA_OPTIONS: .*readImage/,
    );
  });
});
