/** @file Folders of captioned pictures are read as @transfusion/data/node reads them from a disk. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { encodePng } from '@transfusion/data';
import { loadImageFolder } from '@transfusion/data/node';
import { readCaptionLines } from './caption-lines.js';
import { type FolderFile, readDataset, trainingImages } from './dataset.js';

const picture = (seed: number, width: number, height: number) =>
  encodePng({
    ...{ width, height },
    data: Float32Array.from({ length: width * height * 3 }, (_, i) => Math.sin(seed + i * 0.37)),
  });

const text = (content: string) => new TextEncoder().encode(content);

const folders: Record<string, Record<string, Uint8Array>> = {
  'a text file beside each': {
    'b.png': picture(1, 20, 12),
    'b.txt': text(' a  blue\nball '),
    'inside/c.png': picture(2, 9, 30),
    'inside/c.txt': text('a car'),
  },
  'lines of JSON, several captions of one picture': {
    'metadata.jsonl': text(
      '{"file_name": "x/a.png", "text": "one"}\n\n{"file_name": "x/a.png", "text": "two"}\n{"file_name": "b.png", "text": "three", "more": 1}\n',
    ),
    'x/a.png': picture(3, 16, 16),
    'b.png': picture(4, 17, 16),
  },
  'a table, quoted, and a nearer one in a folder': {
    'metadata.csv': text('\ufefffile_name,text\r\na.png,"red, with ""marks"""\r\nx/b.png,far\r\n'),
    'x/captions.csv': text('image,caption\nb.png,near\n'),
    'a.png': picture(5, 8, 8),
    'x/b.png': picture(6, 8, 9),
  },
};

const asFiles = (files: Record<string, Uint8Array>): FolderFile[] =>
  Object.entries(files).map(([path, bytes]) => ({ path, bytes: async () => bytes }));

test.each(Object.entries(folders))('%s', async (_, files) => {
  const folder = await mkdtemp(join(tmpdir(), 'transfusion-folder-'));
  try {
    for (const [name, bytes] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), bytes);
    }
    const expected = await loadImageFolder({ folder, size: 8 });
    const { pictures, skipped } = await readDataset('mine', asFiles(files));
    const images = trainingImages(pictures, 8);
    const comparable = (all: readonly { caption?: string; name: string; pixels: Uint8Array }[]) =>
      all.map(({ caption, name, pixels }) => ({ caption, name, pixels }));
    expect(comparable(images)).toEqual(comparable(expected.images));
    expect(skipped).toEqual([]);
    expect(images.length).toBeGreaterThan(1);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('what cannot be used is named, and the rest is taken', async () => {
  const { pictures, skipped } = await readDataset(
    'mine',
    asFiles({
      'a.png': picture(1, 4, 4),
      'a.txt': text('a'),
      'no-caption.png': picture(1, 4, 4),
      'broken.png': Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 1),
      'broken.txt': text('b'),
      '__MACOSX/._a.png': Uint8Array.of(0),
    }),
  );
  expect(pictures.map(({ caption }) => caption)).toEqual(['a']);
  expect(skipped).toHaveLength(2);
  expect(skipped[0]).toMatch(/^broken\.png: /);
  expect(skipped[1]).toBe('no-caption.png: it has no caption');
  await expect(readDataset('empty', asFiles({ 'a.txt': text('a') }))).rejects.toThrow(/DATA_NO_EXAMPLES: empty has 0/);
});

test('captions files that are none say where', () => {
  expect(() => readCaptionLines('{"file_name": 3}', 'x/metadata.jsonl')).toThrow(
    /DATA_CAPTIONS_FORMAT: x\/metadata\.jsonl: row 1: it has no file_name/,
  );
  expect(() => readCaptionLines('{"a"', 'metadata.jsonl')).toThrow(/line 1: it is no JSON/);
  expect(() => readCaptionLines('file_name,text\na.png,"open', 'metadata.csv')).toThrow(/a quote is not closed/);
  expect([...readCaptionLines('file_name,text\n"a\n.png",b', 'metadata.csv')]).toEqual([['a\n.png', ['b']]]);
});
