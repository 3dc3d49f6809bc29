import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { encodePng, type SourceDocument, splitDataset } from '../index.js';
import { type LoadDocumentsOptions, loadDocuments, readImage } from './index.js';

/** A PNG file of one brightness, from 0 to 255. */
const solid = (value: number) => encodePng({ width: 4, height: 4, data: new Float32Array(48).fill(value / 127.5 - 1) });

let outside: string;
let folder: string;
beforeEach(async () => {
  outside = await mkdtemp(join(tmpdir(), 'transfusion-documents-'));
  folder = join(outside, 'data');
  await mkdir(folder);
  await put('a.png', solid(10));
  await put('pictures/b.png', solid(20));
});
afterEach(() => rm(outside, { recursive: true, force: true }));

async function put(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  return path;
}

const lines = (...rows: unknown[]) =>
  put('documents.jsonl', rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n'));
const load = (more: Partial<LoadDocumentsOptions> = {}) => loadDocuments({ path: folder, size: 2, ...more });
/** Texts as they are, images as their brightness. */
const shown = ({ parts }: SourceDocument) => parts.map((part) => (part.kind === 'text' ? part.text : part.pixels[0]));
/** Why each line is broken. */
const reasonsOf = async (...rows: unknown[]) => {
  await lines({ parts: [{ text: 'good' }] }, ...rows);
  const { broken, documents } = await load({ allowBroken: 1 });
  expect(documents.length + broken.length).toBe(rows.length + 1);
  for (const { path } of broken) expect(path).toMatch(/documents\.jsonl, line \d+$/);
  return broken.map(({ reason }) => reason);
};
const image = (name: string) => ({ parts: [{ image: name }] });

describe('loadDocuments', () => {
  test('texts and images in any order, any number of each, with what is said of them', async () => {
    await put('empty.jsonl', '');
    await lines(
      {
        parts: [
          { image: 'a.png', role: 'context' },
          { text: 'make it light\r\n', loss: false },
          { image: 'pictures/b.png' },
        ],
      },
      '',
      { parts: [{ text: 'no picture' }], id: 7, source: 'elsewhere' },
      {
        parts: [
          { image: './pictures/../a.png', noiseCap: 300 },
          { image: 'a.png', role: 'target' },
        ],
        name: 'twice',
      },
    );
    const { documents, broken, leftOut } = await load();
    expect([broken, leftOut]).toEqual([[], []]);
    expect(documents.map(shown)).toEqual([[10, 'make it light\n', 20], ['no picture'], [10, 10]]);
    const size = { width: 2, height: 2, pixels: expect.any(Uint8Array) };
    expect(documents[0].parts).toEqual([
      { kind: 'image', ...size, role: 'context' },
      { kind: 'text', text: 'make it light\n', loss: false },
      { kind: 'image', ...size },
    ]);
    expect(documents[2].parts).toEqual([
      { kind: 'image', ...size, noiseCap: 300 },
      { kind: 'image', ...size, role: 'target' },
    ]);
    expect(documents.map(({ name, group, split }) => [name, group, split])).toEqual([
      ['documents.jsonl, line 1', 'documents.jsonl:1', undefined],
      ['documents.jsonl, line 3', 'documents.jsonl:3', undefined],
      ['twice', 'documents.jsonl:4', undefined],
    ]);
  });

  test('a file of any name, also gzipped, with a byte order mark', async () => {
    const line = JSON.stringify({ parts: [{ image: 'a.png' }, { text: 'é 🍌' }] });
    for (const path of [await put('x.ndjson', `\ufeff${line}\r\n`), await put('y.jsonl.gz', gzipSync(line))]) {
      expect((await load({ path })).documents.map(shown)).toEqual([[10, 'é 🍌']]);
    }
  });

  test('a file is decoded once, whatever it is called, and its documents share the pixels', async () => {
    await symlink('a.png', join(folder, 'link.png'));
    await lines(image('a.png'), image('link.png'), { parts: [{ image: 'a.png' }, { image: 'pictures/b.png' }] });
    const decoded: string[] = [];
    const { documents } = await load({
      readImage: (path, size) => {
        decoded.push(path);
        return readImage(path, size);
      },
    });
    expect(decoded).toHaveLength(2);
    const pixels = documents.flatMap(({ parts }) =>
      parts.flatMap((part) => (part.kind === 'image' ? [part.pixels] : [])),
    );
    expect(new Set(pixels).size).toBe(2);
    expect([pixels[1], pixels[2]].every((each) => each === pixels[0])).toBe(true);
  });

  test('decoded pictures are kept, until one changes', async () => {
    await lines(image('a.png'), image('pictures/b.png'));
    const cacheFolder = join(outside, 'cache');
    const first = await load({ cacheFolder });
    expect(await readdir(cacheFolder)).toHaveLength(1);
    const unread = () => Promise.reject(new Error('read again'));
    await expect(load({ cacheFolder, readImage: unread })).rejects.toThrow('read again');
    expect(await load({ cacheFolder })).toEqual(first);
    await put('a.png', encodePng({ width: 6, height: 6, data: new Float32Array(108).fill(1) }));
    expect((await load({ cacheFolder })).documents.map(shown)).toEqual([[255], [20]]);
  });

  test('groups and splits; the first so many of each part', async () => {
    await lines(
      ...['train', 'heldOut', 'validation', 'train', 'train'].map((split, i) => ({
        ...{ parts: [{ text: `${i}` }], group: `g${i}`, split },
      })),
    );
    const { documents } = await load();
    expect(documents.map(({ split }) => split)).toEqual(['train', 'heldOut', 'heldOut', 'train', 'train']);
    const { train, heldOut } = splitDataset({ images: documents, fraction: 0.5 });
    expect([train, heldOut].map((some) => some.map(({ group }) => group))).toEqual([
      ['g0', 'g3', 'g4'],
      ['g1', 'g2'],
    ]);
    expect((await load({ count: 1 })).documents.map(shown)).toEqual([['0'], ['1']]);
    await lines(...['x', 'y', 'broken: not reached'].map((text, i) => (i < 2 ? { parts: [{ text }] } : text)));
    expect((await load({ count: 2, allowBroken: 0 })).documents.map(shown)).toEqual([['x'], ['y']]);
  });

  test('documents without anything are left out', async () => {
    await lines({ parts: [{ text: 'x' }] }, { parts: [{ text: ' \n' }, { text: '' }] });
    const { documents, leftOut } = await load();
    expect(documents.map(shown)).toEqual([['x']]);
    expect(leftOut).toEqual([{ path: expect.stringMatching(/line 2$/), reason: 'it is empty' }]);
  });
});

describe('what is broken', () => {
  test('is named with its reason', async () => {
    expect(
      await reasonsOf(
        'scribble',
        '[1]',
        { parts: [] },
        { part: [{ text: 'x' }] },
        { parts: [{ txt: 'x' }] },
        { parts: ['x'] },
        { parts: [{ text: 3 }] },
        { parts: [{ text: 'x' }, { text: 'x', role: 'context' }] },
        { parts: [{ image: 'a.png', role: 'contex' }] },
        { parts: [{ image: 'a.png', noisecap: 3 }] },
        { parts: [{ image: 'a.png', noiseCap: 0 }] },
        { parts: [{ text: 'x' }], split: 'elsewhere' },
        `{"parts": [{"text": "a\\u0000\0"}]}`,
      ),
    ).toEqual([
      expect.stringMatching(/^it is no JSON: /),
      'it is no object with `parts`',
      expect.stringMatching(/^parts: /),
      expect.stringMatching(/^parts: /),
      expect.stringMatching(/^parts\[0\]: text: /),
      'parts[0]: it is no object with `text` or `image`',
      expect.stringMatching(/^parts\[0\]: text: .*string/),
      expect.stringMatching(/^parts\[1\]: .*role/),
      expect.stringMatching(/^parts\[0\]: role: .*"target"\|"context"/),
      expect.stringMatching(/^parts\[0\]: .*noisecap/),
      expect.stringMatching(/^parts\[0\]: noiseCap: /),
      'split: "elsewhere", expected "train" or "heldOut"',
      expect.stringMatching(/NUL bytes/),
    ]);
  });

  test('a picture that is missing, damaged, a folder: all documents that have it', async () => {
    await put('bad.png', solid(1).subarray(0, 40));
    expect(
      await reasonsOf(
        image('A.PNG'),
        image('nothing.png'),
        image('pictures'),
        image('a.png/b.png'),
        { parts: [{ image: 'a.png' }, { image: 'bad.png' }] },
        image('pictures/b.png'),
        { parts: [{ text: 'x' }, { image: 'bad.png' }] },
      ),
    ).toEqual([
      'A.PNG: there is no such picture; a.png is there',
      'nothing.png: there is no such picture',
      'pictures: it is a folder',
      'a.png/b.png: there is no such picture',
      expect.stringMatching(/^bad\.png: IMAGE_UNREADABLE: .*truncated/),
      expect.stringMatching(/^bad\.png: IMAGE_UNREADABLE: .*truncated/),
    ]);
  });

  test('what is outside of the folder is never opened', async () => {
    await writeFile(join(outside, 'secret.png'), solid(99));
    await symlink(join(outside, 'secret.png'), join(folder, 'out.png'));
    await symlink(outside, join(folder, 'up'));
    await symlink('loop.png', join(folder, 'loop.png'));
    const opened: string[] = [];
    await lines(
      { parts: [{ text: 'good' }, { image: 'a.png' }] },
      ...['../secret.png', 'pictures/../../secret.png', join(outside, 'secret.png'), 'C:\\secret.png'].map(image),
      ...['out.png', 'up/secret.png', 'loop.png', 'a\0.png', ''].map(image),
    );
    const { broken, documents } = await load({
      allowBroken: 1,
      readImage: (path, size) => {
        opened.push(path);
        return readImage(path, size);
      },
    });
    expect(documents).toHaveLength(1);
    expect(opened).toEqual([join(folder, 'a.png')]);
    expect(broken.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/leaves the folder/),
      expect.stringMatching(/leaves the folder/),
      expect.stringMatching(/is not relative/),
      expect.stringMatching(/is not relative/),
      expect.stringMatching(/contains NUL/),
      expect.stringMatching(/image: /),
      'out.png: it leaves the folder of the file of documents',
      'up/secret.png: it leaves the folder of the file of documents',
      expect.stringMatching(/^loop\.png: .*ELOOP/),
    ]);
  });

  test('too much of it stops the loading; the share counts documents, not pictures', async () => {
    await put('bad.png', 'x');
    const good = Array.from({ length: 8 }, () => image('a.png'));
    await lines(...good, image('bad.png'), image('bad.png'));
    expect((await load({ allowBroken: 0.2 })).broken).toHaveLength(2);
    await expect(load({ allowBroken: 0.19 })).rejects.toThrow(/DATA_BROKEN_FILES: 2 of 10 documents cannot be used/);
  });

  test('where nothing can be used, no share is told that would do; lines of texts are recognised', async () => {
    await lines({ text: 'a' }, { text: 'b' });
    for (const allowBroken of [0, 1]) {
      await expect(load({ allowBroken })).rejects.toThrow(
        /2 of 2 documents cannot be used:\n.*it has `text` and no `parts`.*\n.*\n {2}fix: read it as texts \(loadTexts\)$/,
      );
    }
    await lines(image('nothing.png'));
    await expect(load({ allowBroken: 1 })).rejects.toThrow(
      /1 of 1 documents cannot be used:[\s\S]*fix: repair or remove them$/,
    );
  });

  test('a file that is no file of documents, or has none', async () => {
    const refused = async (path: string) => expect(load({ path })).rejects;
    await (await refused(join(folder, 'pictures'))).toThrow(/DATA_UNREADABLE: documents .*documents\.jsonl/);
    await (await refused(join(folder, 'a.png'))).toThrow(/DATA_DOCUMENTS_FORMAT: .*not a \.jsonl/);
    await (await refused(await put('none.jsonl', '\n\n'))).toThrow(/DATA_DOCUMENTS_EMPTY: .*it is empty/);
    await (await refused(await put('bad.jsonl.gz', 'no gzip'))).toThrow(/DATA_BROKEN_FILES: 1 of 1 documents/);
    await (await refused(await put('utf16.jsonl', Buffer.from('\ufeff{}', 'utf16le')))).toThrow(/UTF-16/);
  });
});
