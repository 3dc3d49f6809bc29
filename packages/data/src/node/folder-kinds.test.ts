import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { encodePng, splitDataset } from '../index.js';
import { textParquet } from '../testing/parquet-file.js';
import { type ImageFolderOptions, loadImageFolder } from './index.js';

const solid = (value: number) => encodePng({ width: 4, height: 4, data: new Float32Array(48).fill(value / 127.5 - 1) });

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-kinds-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function put(name: string, content: string | Uint8Array): Promise<void> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

const load = (more: Partial<ImageFolderOptions> = {}) => loadImageFolder({ folder, size: 2, allowBroken: 1, ...more });
const captions = async (more: Partial<ImageFolderOptions> = {}) =>
  (await load(more)).images.map(({ name, caption }) => [name, caption]);
const within = (files: { path: string; reason: string }[]) =>
  files.map(({ path, reason }) => [path.slice(folder.length + 1), reason]);

describe('too many that cannot be used: what would do', () => {
  const refused = () => load({ allowBroken: 0.01 });

  test('a captions file that hides the text files', async () => {
    for (const name of ['a', 'b']) await put(`${name}.png`, solid(1));
    await put('a.txt', 'an ape');
    await put('metadata.csv', 'file_name,text\nb.png,bees\n');
    await expect(refused()).rejects.toThrow(
      /a\.png: no caption in metadata\.csv\n.*fix: add them to the captions file, or remove it.*allowBroken, 0\.5 would do/s,
    );
  });

  test('a name that is wrong in a captions file', async () => {
    for (const name of ['a', 'b']) await put(`${name}.png`, solid(1));
    await put('captions.jsonl', '{"file_name":"a.png","text":"x"}\n{"file_name":"bb.png","text":"y"}\n');
    await expect(refused()).rejects.toThrow(
      /bb\.png: there is no such picture.*fix: correct the names in the captions file/s,
    );
  });
});

describe('captions files that say nothing, or too much', () => {
  beforeEach(async () => {
    await put('a.png', solid(1));
    await put('a.txt', 'an ape');
  });

  test.each([
    [
      'metadata.csv',
      'file_name,text\n',
      /metadata\.csv: it names no picture\n.*remove it: captions are then read from NAME\.txt/,
    ],
    ['captions.jsonl', '\n', /captions\.jsonl: it names no picture/],
    ['metadata.csv', 'file_name,text,text\na.png,b,c\n', /metadata\.csv: it has two columns "text"/],
    [
      'metadata.csv',
      'version https://git-lfs.github.com/spec/v1\noid sha256:0\n',
      /metadata\.csv: it is a Git LFS pointer/,
    ],
  ])('%s: %j', async (name, content, message) => {
    await put(name, content);
    await expect(load()).rejects.toThrow(message);
    expect(await captions({ captions: 'none' })).toEqual([['a.png', undefined]]);
  });
});

test('a kind of captions that there is not is refused', async () => {
  await put('a.png', solid(1));
  for (const wrong of ['no', 'Required', null]) {
    await expect(load({ captions: wrong as 'none' })).rejects.toThrow(
      /DATA_OPTIONS: loadImageFolder: captions is .*\n.*'required'/,
    );
  }
});

describe('captions: required, optional, none', () => {
  beforeEach(async () => {
    await put('a.png', solid(1));
    await put('a.txt', 'an ape');
    await put('b.png', solid(2));
    await put('c.png', solid(3));
    await put('c.txt', Uint8Array.of(0xff, 0xfe, 0x61, 0));
  });

  test('required', async () => {
    expect(await captions()).toEqual([['a.png', 'an ape']]);
    expect(within((await load()).broken)).toEqual([
      ['b.png', 'no caption'],
      ['c.png', 'its caption c.txt: it is UTF-16: save it as UTF-8'],
    ]);
  });

  test('optional: what has none comes without', async () => {
    const dataset = await load({ captions: 'optional' });
    expect(dataset.images.map(({ name, caption }) => [name, caption])).toEqual([
      ['a.png', 'an ape'],
      ['b.png', undefined],
    ]);
    expect(dataset.images.every((image) => 'caption' in image)).toBe(true);
    expect(within(dataset.broken)).toEqual([['c.png', expect.stringContaining('UTF-16')]]);
  });

  test('none: no caption is read, every picture is there once', async () => {
    await put('captions.jsonl', 'no JSON at all');
    await put('metadata.parquet', 'PAR1');
    await put('notes.txt', 'about the pictures');
    const { images, broken, leftOut } = await load({ captions: 'none' });
    expect(images.map(({ name, caption }) => [name, caption])).toEqual([
      ['a.png', undefined],
      ['b.png', undefined],
      ['c.png', undefined],
    ]);
    expect(broken).toEqual([]);
    expect(within(leftOut)).toEqual([['notes.txt', 'it is no picture, by its name']]);
  });
});

describe("Hugging Face's imagefolder", () => {
  test('metadata.csv: a byte order mark, CRLF, quotes, several captions, no caption', async () => {
    for (const name of ['a.png', 'b, c.png', 'd.png']) await put(name, solid(1));
    await put(
      'metadata.csv',
      '\ufefffile_name,label,text\r\na.png,1,"an ape, with ""glasses""\r\nand a hat"\r\n"b, c.png",2,bees\r\na.png,1,apes\r\nd.png,,\r\n',
    );
    expect(await captions()).toEqual([
      ['a.png', 'an ape, with "glasses" and a hat'],
      ['a.png', 'apes'],
      ['b, c.png', 'bees'],
    ]);
    expect(within((await load()).broken)).toEqual([['d.png', 'no caption in metadata.csv']]);
  });

  test.each<[string, string, RegExp]>([
    [
      'no text',
      'file_name,label\na.png,1',
      /metadata\.csv: it has no `text` \(or `caption`\); it has "file_name", "label"\n/,
    ],
    ['no name', 'picture,text\na.png,1', /it has no `file_name` \(or `image`\); it has "picture", "text"\n/],
    ['semicolons', 'file_name;text\na.png;an ape', /separated by semicolons: save it with commas\n/],
    ['a field too many', 'file_name,text\na.png,an ape, sitting', /metadata\.csv: Invalid Record Length.*line 2/],
    ['an open quote', 'file_name,text\na.png,"an ape', /metadata\.csv: Quote Not Closed/],
    ['a name outside', 'file_name,text\n\n../a.png,an ape', /metadata\.csv, line 3: file_name: leaves the folder/],
    ['UTF-16', '\ufeff', /metadata\.csv: it is UTF-16: save it as UTF-8/],
  ])('metadata.csv is refused: %s', async (kind, text, message) => {
    await put('a.png', solid(1));
    await put('metadata.csv', kind === 'UTF-16' ? Buffer.from(text, 'utf16le') : text);
    await expect(load()).rejects.toThrow(message);
    await expect(load()).rejects.toThrow(/^DATA_CAPTIONS_FORMAT: /);
  });

  test('a quote that nobody closes does not take the whole file', async () => {
    await put('metadata.csv', `file_name,text\na.png,"${'x'.repeat(2 ** 21)}`);
    await expect(load()).rejects.toThrow(/DATA_CAPTIONS_FORMAT: .*Max Record Size/);
  });

  test.each([true, false])('metadata.parquet, of columns marked as text: %p', async (isText) => {
    for (const name of ['a.png', 'd.png']) await put(name, solid(1));
    const row = (name: string, text: string | null) => ({ label: 'x', my_file_name: name, text });
    const rows = [row('a.png', 'größe  of an ape'), row('d.png', null), row('a.png', 'apes')];
    await put('metadata.parquet', textParquet(rows, { isText, rowsPerGroup: 2 }));
    expect(await captions()).toEqual([
      ['a.png', 'größe of an ape'],
      ['a.png', 'apes'],
    ]);
    expect(within((await load()).broken)).toEqual([['d.png', 'no caption in metadata.parquet']]);
    await put('metadata.jsonl', '{"file_name": "a.png", "text": "an ape"}');
    expect(await captions()).toEqual([['a.png', 'an ape']]);
    expect(within((await load()).leftOut)).toEqual([['metadata.parquet', 'another captions file is read instead']]);
  });

  test('metadata.parquet is refused: cut off, without text, a name outside', async () => {
    await put('a.png', solid(1));
    const whole = textParquet([{ file_name: '../a.png', text: 'a' }]);
    const refused: [Uint8Array, RegExp][] = [
      [new TextEncoder().encode('PAR1'), /metadata\.parquet: it has 4 bytes, too few for Parquet/],
      [whole.slice(0, -1), /metadata\.parquet: it does not end as Parquet does/],
      [
        textParquet([{ file_name: 'a.png', label: 'a' }]),
        /it has no `text` \(or `caption`\); it has "file_name", "label"/,
      ],
      [whole, /metadata\.parquet, row 0: file_name: leaves the folder/],
    ];
    for (const [bytes, message] of refused) {
      await put('metadata.parquet', bytes);
      await expect(load()).rejects.toThrow(message);
      await expect(load()).rejects.toThrow(/^DATA_CAPTIONS_FORMAT: /);
    }
  });

  test('metadata of folders, names relative to it, text files elsewhere', async () => {
    await put('one/a.png', solid(1));
    await put('one/deep/b.png', solid(2));
    await put(
      'one/metadata.jsonl',
      '\ufeff{"a_file_name":"a.png","text":"A"}\r\n{"image":"deep/b.png","caption":"B"}\r\n',
    );
    await put('two/c.png', solid(3));
    await put('two/c.txt', 'C');
    await put('two/c.caption', 'not this');
    await put('three/d.png', solid(3));
    await put('three/d.caption', '\ufeffD\r\n');
    await put('three/e.txt', 'E');
    expect(await captions()).toEqual([
      ['one/a.png', 'A'],
      ['one/deep/b.png', 'B'],
      ['three/d.png', 'D'],
      ['two/c.png', 'C'],
    ]);
    expect(within((await load()).leftOut)).toEqual([
      ['three/e.txt', 'there is no picture of that name beside it'],
      ['two/c.caption', 'c.txt is read instead'],
    ]);
    // The nearest file wins.
    await put('captions.jsonl', '{"file_name":"one/a.png","text":"far"}\n{"file_name":"two/c.png","text":"far"}');
    expect(await captions()).toEqual([
      ['one/a.png', 'A'],
      ['one/deep/b.png', 'B'],
      ['two/c.png', 'far'],
    ]);
  });

  test.each([
    ['train', 'test'],
    ['data/train', 'data/validation'],
    ['Training', 'my_val-2'],
    ['x/train_images/deep', 'x/eval'],
  ])('folders %s and %s are a split', async (train, heldOut) => {
    for (let i = 0; i < 4; i++) await put(`${train}/${i}.png`, solid(i));
    for (let i = 0; i < 2; i++) await put(`${heldOut}/${i}.png`, solid(i));
    await put('other/x.png', solid(9));
    const { images } = await load({ captions: 'none' });
    expect(images.map(({ name, split }) => [name, split]).sort()).toEqual(
      [
        ...['0', '1', '2', '3'].map((i) => [`${train}/${i}.png`, 'train']),
        ...['0', '1'].map((i) => [`${heldOut}/${i}.png`, 'heldOut']),
        ['other/x.png', 'train'],
      ].sort(),
    );
    const parts = splitDataset({ images, fraction: 0.5 });
    expect([parts.train.length, parts.heldOut.length]).toEqual([5, 2]);
    // As large a share of the held-out ones.
    const few = (await load({ captions: 'none', count: 2 })).images;
    expect(few.map(({ split }) => split).sort()).toEqual(['heldOut', 'train', 'train']);
  });

  test.each([
    ['trains', 'test'],
    ['train', 'contest'],
    ['train', 'bus'],
    ['train-test', 'more'],
  ])('folders %s and %s are none', async (one, other) => {
    await put(`${one}/a.png`, solid(1));
    await put(`${other}/b.png`, solid(1));
    const { images } = await load({ captions: 'none' });
    expect(images.map((image) => 'split' in image)).toEqual([false, false]);
  });
});

describe('names and contents', () => {
  test('a picture is what is in it; what cannot be read says why', async () => {
    const jpeg = await sharp({ create: { width: 4, height: 4, channels: 3, background: '#808080' } })
      .jpeg()
      .toBuffer();
    await put('a.png', jpeg);
    await put('b.jfif', jpeg);
    await put('c.HEIC', jpeg);
    await put('d.heic', Buffer.concat([Buffer.of(0, 0, 0, 24), Buffer.from('ftypheic\0\0\0\0mif1heic')]));
    await put('e.zip', 'PK\x03\x04');
    await put('.hidden.png', jpeg);
    const { images, broken, leftOut } = await load({ captions: 'none' });
    expect(images.map(({ name, pixels }) => [name, pixels[0]])).toEqual([
      ['a.png', 128],
      ['b.jfif', 128],
      ['c.HEIC', 128],
    ]);
    expect(within(broken)).toEqual([['d.heic', expect.stringMatching(/a HEIC file, .* save it as JPEG or PNG$/)]]);
    expect(within(leftOut)).toEqual([
      ['e.zip', 'an archive is not looked into: unpack it, or give it as a shard where it is a tar archive'],
    ]);
  });

  test('a name without a picture says what is near', async () => {
    await put('Cat.PNG', solid(1));
    await put('dog.jpeg', solid(1));
    await put('birds/tit.png', solid(1));
    await put('.secret.png', solid(1));
    await symlink('birds', join(folder, 'link'));
    const names = ['cat.png', 'dog.jpg', 'tit.png', 'birds\\tit.png', 'cow.png', '.secret.png', 'link/tit.png'];
    await put('captions.jsonl', names.map((name) => JSON.stringify({ file_name: name, text: 'x' })).join('\n'));
    const reasons = Object.fromEntries(within((await load({ captions: 'optional' })).broken));
    expect(reasons).toEqual({
      'cat.png': 'there is no such picture; Cat.PNG is there',
      'dog.jpg': 'there is no such picture; dog.jpeg is there',
      'tit.png': 'there is no such picture; birds/tit.png is there',
      'birds\\tit.png': 'there is no such picture; birds/tit.png is there',
      'cow.png': 'there is no such picture',
      '.secret.png': 'hidden files are left out',
      'link/tit.png': 'link is a link to a folder, which is not followed',
    });
  });
});
