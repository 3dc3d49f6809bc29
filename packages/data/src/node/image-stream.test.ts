/** @file Streams of pictures from shards, on the disk and on a server that fails one request in ten. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packTar } from 'modern-tar';
import {
  type CaptionedImage,
  decodePng,
  encodePng,
  type ImageStream,
  type StreamBatchesOptions,
  streamBatches,
  toBytes,
} from '../index.js';
import { parquetFile } from '../testing/parquet-file.js';
import { oneInTen, RangeServer } from '../testing/range-server.js';
import { loadShards } from './load-shards.js';
import { type OpenImageStreamOptions, openImageStream } from './open-image-stream.js';
import { writeShards } from './write-shards.js';

const SIZE = 8;
const images: CaptionedImage[] = Array.from({ length: 230 }, (_, i) => ({
  caption: `picture ${i}`,
  name: `p${i}.png`,
  group: `group ${i >> 1}`,
  ...(i % 3 === 0 && { otherCaptions: [`number ${i}`, 'a picture'] }),
  ...{ width: SIZE, height: SIZE },
  pixels: Uint8Array.from({ length: SIZE * SIZE * 3 }, (_, at) => (i * 31 + at * (7 + (i % 5))) & 255),
}));

let folder: string;
let server: RangeServer;
const files = new Map<string, Uint8Array>();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'streams-'));
  await writeShards({ images, folder: join(folder, 'tars'), name: 'test', samplesPerShard: 7 });
  for (const name of await readdir(join(folder, 'tars'))) files.set(name, await readFile(join(folder, 'tars', name)));
  const rows = images.map((image) => ({
    image: {
      bytes: encodePng({ ...image, data: Float32Array.from(image.pixels, (v) => v / 127.5 - 1) }),
      path: image.name,
    },
    text: image.caption!,
  }));
  for (let i = 0; i < 3; i++)
    files.set(`part-${i}.parquet`, parquetFile(rows.slice(i * 80, (i + 1) * 80), { rowsPerGroup: 11 }));
  server = await RangeServer.open(files);
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});
beforeEach(() => {
  server.requests.length = 0;
  server.fault = () => undefined;
});

const hashOf = (pixels: Uint8Array | undefined) => createHash('sha256').update(pixels!).digest('hex');
const hashed = (some: readonly CaptionedImage[]) =>
  some.map(({ name: _, pixels, ...image }) => ({ ...image, pixels: hashOf(pixels) }));
// Faster than the default for pictures as small as these, and the same for PNG.
const decode = async (bytes: Uint8Array, where: string) => toBytes(decodePng(bytes, { where }).data);
const open = (shards: string[], options: Partial<OpenImageStreamOptions> = {}) =>
  openImageStream({ shards, size: SIZE, http: { delayMs: 1 }, decode, ...options });
const local = () => [join(folder, 'tars')];

async function take(stream: ImageStream, count: number, options: Partial<StreamBatchesOptions> = {}) {
  const batches: { numbers: number[]; pixels: string[] }[] = [];
  let state = options.start;
  for await (const batch of streamBatches(stream, { seed: 3, batchSize: 20, ...options })) {
    const { pictures } = batch;
    batches.push({
      numbers: pictures.map(({ number }) => number),
      pixels: pictures.map(({ pixels }) => hashOf(pixels)),
    });
    state = batch.state;
    if (batches.length === count) break;
  }
  return { batches, state: state! };
}

test('shards give back what was written: pixels, captions, groups; the same pictures give the same bytes', async () => {
  const { images: read, broken } = await loadShards({ shards: local(), size: SIZE });
  const { name: _, ...expected } = images[0];
  expect(read[0]).toEqual({ ...expected, name: 'test-000000.tar/000000000' });
  expect(hashed(read)).toEqual(hashed(images));
  expect(broken).toEqual([]);
  await writeShards({ images, folder: join(folder, 'again'), name: 'test', samplesPerShard: 7 });
  const names = await readdir(join(folder, 'again'));
  expect(names.filter((name) => name.endsWith('.tar'))).toHaveLength(33);
  for (const name of names)
    expect(Buffer.compare(await readFile(join(folder, 'again', name)), files.get(name)!)).toBe(0);
  // Fewer than before: none of the old ones is left.
  await writeShards({ images: images.slice(0, 9), folder: join(folder, 'again'), name: 'test', samplesPerShard: 7 });
  expect((await readdir(join(folder, 'again'))).sort()).toEqual([
    ...['index.json', 'test-000000.index.json', 'test-000000.tar', 'test-000001.index.json', 'test-000001.tar'],
  ]);
});

test.each([
  ['tar, by its list', () => [server.url('index.json')]],
  ['tar, by addresses', () => [server.url('test-{000000..000032}.tar')]],
  ['Parquet', () => [server.url('part-{0..2}.parquet')]],
])('over a server that fails one request in ten: %s: the same batches as from the disk', async (_, shards) => {
  const blockBytes = 20_000;
  const disk = await open(local(), { blockBytes });
  server.fault = oneInTen();
  const { stream } = await open(shards(), { blockBytes });
  const isSame = !shards()[0].endsWith('parquet');
  if (!isSame) {
    // Pieces are row groups there, so blocks are others: what each picture is, is the same.
    const all = images.map((_, i) => i);
    expect((await stream.read(all)).map(hashOf)).toEqual(images.map(({ pixels }) => hashOf(pixels)));
  } else expect(await take(stream, 14)).toEqual(await take(disk.stream, 14));
  expect(stream.images.map(({ caption }) => caption)).toEqual(images.map(({ caption }) => caption));
  expect(server.requests.filter(({ fault }) => fault !== undefined).length).toBeGreaterThan(1);
  expect(stream.broken).toEqual([]);
});

test('from any place on, in the middle of a shard, nothing before it is read', async () => {
  const { stream } = await open([server.url('index.json')], { blockBytes: 20_000 });
  const whole = await take(stream, 12);
  const first = await take((await open(local(), { blockBytes: 20_000 })).stream, 5);
  server.requests.length = 0;
  const resumed = await open([server.url('index.json')], { blockBytes: 20_000 });
  const opening = server.requests.length;
  const rest = await take(resumed.stream, 7, { start: first.state });
  expect([...first.batches, ...rest.batches]).toEqual(whole.batches);
  expect(rest.state).toEqual(whole.state);
  expect(whole.state).toEqual({ epoch: 1, yielded: 10 });
  // Of 33 shards, each one piece.
  const read = new Set(server.requests.slice(opening).map(({ path }) => path));
  expect(read.size).toBeLessThan(33);
});

test('every rank has its share of the same batches, and as many of them', async () => {
  const { stream } = await open(local(), { blockBytes: 20_000 });
  const whole = await take(stream, 12);
  for (const ranks of [2, 4, 5]) {
    const shares: Awaited<ReturnType<typeof take>>[] = [];
    for (let rank = 0; rank < ranks; rank++) shares.push(await take(stream, 12, { rank, ranks }));
    const together = whole.batches.map((_, i) => shares.flatMap(({ batches }) => batches[i].numbers));
    expect(together).toEqual(whole.batches.map(({ numbers }) => numbers));
    for (const { state } of shares) expect(state).toEqual(whole.state);
  }
  await expect(take(stream, 1, { ranks: 3 })).rejects.toThrow(
    /batchSize is 20, expected a positive multiple of ranks, which is 3/,
  );
});

test('what is held of a dataset does not grow with it: pieces of blocks before are given up', async () => {
  const { stream } = await open([server.url('index.json')], { blockBytes: 1 });
  server.requests.length = 0;
  await take(stream, 23);
  // Two epochs of 33 pieces, ten in a block: most are fetched in both, since no more than two blocks are held.
  const counts = new Map<string, number>();
  for (const { path } of server.requests) counts.set(path, (counts.get(path) ?? 0) + 1);
  expect([...counts.values()].filter((count) => count > 1).length).toBeGreaterThan(10);
});

async function brokenShards(name: string, broken: number) {
  const entries = images.slice(0, 20).flatMap((image, i) => {
    const png = encodePng({ ...image, data: new Float32Array(SIZE * SIZE * 3) });
    const body = i < broken ? png.slice(0, 40) : png;
    const text = `${image.caption}`;
    const captioned = i === 19 ? [] : [{ header: { name: `${i}.txt`, size: text.length }, body: text }];
    return [{ header: { name: `${i}.png`, size: body.length }, body }, ...captioned];
  });
  await writeFile(join(folder, name), await packTar(entries));
  return [join(folder, name)];
}

test('broken samples are counted, named, and too many of them an error', async () => {
  const shards = await brokenShards('broken.tar', 2);
  const told: string[] = [];
  const { stream } = await open(shards, {
    allowBroken: 0.2,
    onBroken: ({ path }, count) => told.push(`${count} ${path}`),
  });
  expect(stream.images).toHaveLength(19);
  expect(stream.broken).toEqual([
    { path: `${shards[0]}/19`, reason: 'no caption; the shard has png, txt (captionField)' },
  ]);
  const { batches } = await take(stream, 4, { batchSize: 19, seed: 0 });
  expect(batches.map(({ numbers }) => numbers.length)).toEqual([17, 17, 17, 17]);
  expect(told.map((line) => line.slice(0, 1))).toEqual(['2', '3']);
  expect(told.map((line) => line.slice(2)).sort()).toEqual(['broken.tar/0', 'broken.tar/1']);
  expect(stream.broken[1].reason).toMatch(/IMAGE_UNREADABLE|PNG/);
  expect((await open(shards, { allowBroken: 0, captions: 'none' })).stream.images).toHaveLength(20);
  await expect(open(shards)).rejects.toThrow(/^DATA_BROKEN_FILES: 1 of 20 samples cannot be used/);
  const few = await open(shards, { allowBroken: 0.1 });
  await expect(take(few.stream, 2, { batchSize: 19 })).rejects.toThrow(
    /^DATA_BROKEN_FILES: 3 of 20 samples cannot be used, .*broken\.tar\/0/s,
  );
});

test('indexes are kept, made anew for a shard that changed, and the hash tells one set from another', async () => {
  const cacheFolder = join(folder, 'cache');
  const shards = [server.url('test-{000000..000004}.tar')];
  const { hash } = await open(shards, { cacheFolder });
  const first = server.requests.length;
  server.requests.length = 0;
  expect((await open(shards, { cacheFolder })).hash).toBe(hash);
  expect(server.requests.length).toBeLessThan(first);
  expect(await readdir(cacheFolder)).toHaveLength(5);
  for (const name of await readdir(cacheFolder)) await writeFile(join(cacheFolder, name), '{"samples": 7}');
  expect((await open(shards, { cacheFolder })).hash).toBe(hash);
  expect((await open([server.url('test-{000000..000003}.tar')])).hash).not.toBe(hash);
  expect((await open(local())).hash).toBe((await open([server.url('index.json')])).hash);
  const one = 'test-000000.tar';
  const [whole, other] = [files.get(one)!, files.get('test-000001.tar')!];
  files.set(one, Buffer.concat([other, new Uint8Array(512)]));
  await expect(open([server.url('index.json')])).rejects.toThrow(
    /^DATA_SHARDS_CHANGED: .*test-000000\.tar has \d+ bytes, and its list says/,
  );
  expect((await open(shards, { cacheFolder })).hash).not.toBe(hash);
  files.set(one, whole);
});

test('shards that are not there, twice, or in a list that leaves its folder, are refused', async () => {
  await expect(open([join(folder, 'tars', 'x*.tar')])).rejects.toThrow(
    /^DATA_SHARDS_MISSING: .*no file of .* is named so/,
  );
  await expect(open([join(folder, 'nowhere')])).rejects.toThrow(/^DATA_UNREADABLE: shard .*nowhere/);
  const [one] = [join(folder, 'tars', 'test-000000.tar')];
  await expect(open([one, join(folder, 'tars', '*0.tar')])).rejects.toThrow(
    /^DATA_SHARDS_TWICE: .*test-000000\.tar is there twice/,
  );
  await expect(open(['a-{9..3}.tar'])).rejects.toThrow(/\{9\.\.3\} are 0 numbers/);
  const list = { format: 'transfusion-shards', version: 1, samples: 1 };
  files.set(
    'evil/index.json',
    Buffer.from(JSON.stringify({ ...list, shards: [{ file: '../a.tar', bytes: 1, samples: 1, index: 'a' }] })),
  );
  await expect(open([server.url('evil/index.json')])).rejects.toThrow(
    /^DATA_SHARDS_LIST: .*shards\.0\.file: expected the name of a file/,
  );
});
