/** @file Every source of files gives the same, and gives nothing that is not in its folder. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { type FileSource, FolderReader, MemorySource, type TensorData, UrlSource, writeSafetensors } from './index.js';
import { FolderSource } from './node/index.js';
import { type FileServer, fileListener, serve } from './testing/file-server.js';

const random = (length: number, seed: number) => Float32Array.from({ length }, (_, i) => Math.sin(seed + i * 1.7));
/** Some are read together, some alone; one begins at no multiple of 4, one is larger than what is asked for first. */
const tensors = new Map<string, TensorData<Float32Array>>([
  ['a', { shape: [3], data: random(3, 1) }],
  ['b', { shape: [2, 5], data: random(10, 2) }],
  ['c', { shape: [0, 7], data: random(0, 3) }],
  ['d', { shape: [200, 100], data: random(20_000, 4) }],
  ['e', { shape: [], data: random(1, 5) }],
]);
const files: Record<string, Uint8Array> = {
  'config.json': new TextEncoder().encode('\ufeff{"dim": 2}'),
  'model.safetensors': writeSafetensors(new Map<string, TensorData>([...tensors, ['bytes', byte()]])),
  'vae/config.json': new TextEncoder().encode('{}'),
  'deep/er/ä b%.txt': new TextEncoder().encode('ü'),
  empty: new Uint8Array(0),
};

/** Moves all that comes after it in the file, where names are in their order, by one byte. */
function byte(): TensorData {
  return { shape: [1], data: Uint8Array.of(7) };
}

let folder: string;
const servers: FileServer[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-sources-'));
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), bytes);
  }
  servers.push(await serve(fileListener(files)), await serve(fileListener(files, { ranges: false })));
});
afterAll(async () => {
  for (const server of servers) await server.close();
  await rm(folder, { recursive: true, force: true });
});

const sources: [string, () => FileSource][] = [
  ['a folder', () => new FolderSource(folder)],
  ['a server', () => new UrlSource(servers[0].url)],
  ['a server of whole files', () => new UrlSource(servers[1].url)],
  ['a record', () => new MemorySource(files)],
  ['a map of Buffers', () => new MemorySource(new Map(Object.entries(files).map(([k, v]) => [k, Buffer.from(v)])))],
];

describe.each(sources)('%s', (_, open) => {
  let source: FileSource;
  beforeEach(() => (source = open()));
  afterEach(() => source.close());

  test('has, sizes, any range of bytes', async () => {
    for (const [name, bytes] of Object.entries(files)) {
      expect(await source.has(name)).toBe(true);
      expect(await source.size(name)).toBe(bytes.length);
      for (const [begin, length] of [
        [0, bytes.length],
        [bytes.length, 0],
        [Math.floor(bytes.length / 3), Math.floor(bytes.length / 2)],
      ]) {
        const target = new Uint8Array(length).fill(99);
        await source.read(name, begin, target);
        expect(Buffer.compare(target, bytes.subarray(begin, begin + length))).toBe(0);
      }
    }
  });

  test('what it has not, and what is beyond the end of a file', async () => {
    for (const name of ['none.json', 'vae', 'vae/none.json', 'config.json/x', 'toString']) {
      expect(await source.has(name)).toBe(false);
    }
    await expect(source.size('none.json')).rejects.toThrow(`CHECKPOINT_MISSING: file ${source.name}/none.json`);
    await expect(source.read('vae/none', 0, new Uint8Array(1))).rejects.toThrow('CHECKPOINT_MISSING');
    const { length } = files['config.json'];
    await expect(source.read('config.json', length - 1, new Uint8Array(2))).rejects.toThrow(
      `CHECKPOINT_FORMAT: ${source.name}/config.json: ends at byte ${length}, expected ${length + 1}`,
    );
  });

  test.each([
    '../config.json',
    '/etc/passwd',
    'vae/../config.json',
    'vae//config.json',
    './config.json',
    '',
    'vae\\config.json',
    'C:config.json',
    'a\0b',
    '..',
  ])('the name %j is refused by every method', async (name) => {
    const asked = servers.flatMap(({ requests }) => requests).length;
    const refused = 'CHECKPOINT_ARGUMENT: ' + JSON.stringify(name);
    await expect(source.has(name)).rejects.toThrow(refused);
    await expect(source.size(name)).rejects.toThrow(refused);
    await expect(source.read(name, 0, new Uint8Array(1))).rejects.toThrow(refused);
    expect(servers.flatMap(({ requests }) => requests)).toHaveLength(asked);
  });

  test('a reader gets text, JSON and tensors', async () => {
    const reader = new FolderReader(source);
    expect(reader.path).toBe(source.name);
    expect(await reader.readJson('config.json', z.strictObject({ dim: z.int() }))).toEqual({ dim: 2 });
    expect(await reader.readText('deep/er/ä b%.txt')).toBe('ü');
    expect(await reader.readTensors('model.safetensors', tensors.keys())).toEqual(tensors);
    expect((await reader.readTensors('model.safetensors', ['d'])).get('d')).toEqual(tensors.get('d'));
    expect([...(await reader.readTensors('model.safetensors')).keys()].sort()).toEqual(
      [...tensors.keys(), 'bytes'].sort(),
    );
    await expect(reader.readTensors('model.safetensors', ['dd'])).rejects.toThrow(
      /CHECKPOINT_CONTENT.*the nearest is "d"/,
    );
    await expect(reader.readText('none.json')).rejects.toThrow(`CHECKPOINT_MISSING: ${source.name} has no none.json`);
    await expect(reader.readTensors('config.json')).rejects.toThrow(/CHECKPOINT_FORMAT: .*config\.json/);
  });

  test('names of what is inside, where it can tell', async () => {
    expect(source.list === undefined).toBe(source instanceof UrlSource);
    const list = async (inside: string) => source.list?.(inside);
    if (!source.list) return;
    expect(await list('')).toEqual(['config.json', 'deep', 'empty', 'model.safetensors', 'vae']);
    expect(await list('deep')).toEqual(['er']);
    expect(await list('none')).toEqual([]);
  });
});

test('what is no file in memory is refused', () => {
  expect(() => new MemorySource({ '../x': new Uint8Array(1) })).toThrow('CHECKPOINT_ARGUMENT: "../x"');
  expect(() => new MemorySource({ x: 'text' as never })).toThrow(/CHECKPOINT_ARGUMENT: memory\/x: is a string/);
});

test('a file of a folder that is replaced between two reads is an error', async () => {
  const source = new FolderSource(folder, 'model');
  await source.size('config.json');
  await rm(join(folder, 'config.json'));
  await writeFile(join(folder, 'config.json'), '{"dim": 345}');
  await expect(source.read('config.json', 0, new Uint8Array(5))).rejects.toThrow(
    'CHECKPOINT_FORMAT: model/config.json: was changed while it was read',
  );
  await writeFile(join(folder, 'config.json'), files['config.json']);
});
