/** @file Training on shards: emoji as tar archives and as Parquet, from the disk and from a server that fails one request in ten. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { resolveConfig } from '../apps/trainer/src/config/resolve-config';
import { transfusionKind } from '../apps/trainer/src/kinds/transfusion';
import { encodePng, imageOf } from '../packages/data/src/index';
import { loadShards } from '../packages/data/src/node/index';
import { parquetFile } from '../packages/data/src/testing/parquet-file';
import { oneInTen, RangeServer } from '../packages/data/src/testing/range-server';
import type { Backend } from '../packages/tensor/src/index';
import { openWasm } from '../packages/wasm/src/index';
import {
  abortedAtLook,
  checkpointHash,
  quietProgress,
  temporaryFolder,
  tiny,
  tinyVae,
  trainer,
  trainerState,
} from './support/trainer';

const folder = temporaryFolder();
const runs = join(folder, 'runs');
const shards = join(folder, 'shards');
quietProgress();

const common = { 'data.demoSet': null, 'data.imageSize': 8, 'data.heldOutBy': 'list', 'data.otherCaptions': 0.3 };
const emoji = { ...common, 'data.count': 250 };
const streamed = (...names: string[]) => ({ ...common, 'data.dataset': 'shards', 'data.shards': names });
const sets = (fields: Record<string, unknown>) =>
  Object.entries(fields).map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);

let server: RangeServer;
let backend: Backend;
const files = new Map<string, Uint8Array>();
beforeAll(async () => {
  const written = await trainer([
    ...['shard', '--preset', 'tiny', '--runs', runs, '--out', shards, '--samples-per-shard', '5'],
    ...sets({ 'data.demoSet': null, 'data.imageSize': 8, 'data.count': 250 }).flatMap((set) => ['--set', set]),
  ]);
  expect(written).toMatchObject({ code: 0, text: expect.stringContaining('250 pictures of 8 x 8 in 50 shards') });
  for (const name of readdirSync(shards)) files.set(name, readFileSync(join(shards, name)));
  const { images } = await loadShards({ shards: [shards], size: 8 });
  const rows = images.map((image) => ({
    image: { bytes: encodePng(imageOf(image)), path: null },
    text: image.caption ?? null,
  }));
  files.set('emoji.parquet', parquetFile(rows, { rowsPerGroup: 30 }));
  server = await RangeServer.open(files);
  server.fault = oneInTen();
  backend = await openWasm({ threads: 2 });
});
afterAll(async () => {
  await server.close();
  await backend.dispose();
});

/** Hashes of every array of the batches of some steps. */
async function batchesOf(fields: Record<string, unknown>, from = 0) {
  const config = await resolveConfig(transfusionKind, { preset: 'tiny', set: sets(fields) });
  const { session } = await transfusionKind.open(config, { backend, cacheFolder: join(folder, '.cache', 'data') });
  const steps = [];
  for (let step = from; step < from + 3; step++) steps.push(hashesOf(await session.batches(step)));
  const { streamed, examples } = session;
  session.dispose();
  return { steps, streamed, heldOut: examples.heldOut.map(({ caption }) => caption) };
}

function hashesOf(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    return createHash('sha256').update(bytes).digest('hex');
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, hashesOf(each)]));
}

test('the batches of 50 tar shards, on the disk or the server, are those of the emoji in memory', async () => {
  const memory = await batchesOf(emoji, 20);
  expect(memory.streamed).toBeUndefined();
  for (const where of [shards, server.url('emoji-{000000..000049}.tar')]) {
    const { steps, streamed: count, heldOut } = await batchesOf(streamed(where), 20);
    expect(steps).toEqual(memory.steps);
    expect([count, heldOut]).toEqual([250 - memory.heldOut.length, memory.heldOut]);
  }
  const held = await batchesOf({ ...streamed(shards), 'data.streamed': false }, 20);
  expect([held.steps, held.streamed]).toEqual([memory.steps, undefined]);
  expect(server.requests.some(({ fault }) => fault !== undefined)).toBe(true);
});

test('and those of Parquet, which has no groups and no other captions', async () => {
  const plain = { 'data.heldOutFraction': 0, 'data.otherCaptions': 0 };
  const memory = await batchesOf({ ...emoji, ...plain });
  expect((await batchesOf({ ...streamed(server.url('emoji.parquet')), ...plain })).steps).toEqual(memory.steps);
});

test('through an autoencoder, mirrored: encoded when their batch comes, to the same bits', async () => {
  const vae = { ...emoji, 'loss.adversarial': 0, steps: 1 };
  const { 'data.otherCaptions': _, ...fields } = vae;
  expect(await trainer(tinyVae(runs, 'vae', fields))).toMatchObject({ code: 0 });
  const latent = { codec: join(runs, 'vae', 'model'), patchSize: 2, 'data.flip': true };
  const memory = await batchesOf({ ...emoji, ...latent });
  expect((await batchesOf({ ...streamed(shards), ...latent })).steps).toEqual(memory.steps);
});

test('a run from the failing server, stopped in the middle of a shard, ends with the bits of one from memory', async () => {
  expect(await trainer(tiny(runs, 'memory', { ...emoji, steps: 6 }))).toMatchObject({ code: 0 });
  const fields = { ...streamed(server.url('index.json')), steps: 6 };
  const stopped = await trainer(tiny(runs, 'server', fields), abortedAtLook(4));
  expect(stopped.text).toMatch(/pictures to train on, read when their batch comes; \d+ held out and evaluated/);
  expect(trainerState(join(runs, 'server')).step).toBeLessThan(6);
  const more = ['train', '--resume', join(runs, 'server'), '--runs', runs, '--backend', 'wasm', '--threads', '2'];
  expect(await trainer(more)).toMatchObject({ code: 0 });
  expect(checkpointHash(join(runs, 'server'))).toEqual(checkpointHash(join(runs, 'memory')));
});

test('shards may move, and must not change', async () => {
  const moved = join(folder, 'moved');
  expect(await trainer(tiny(runs, 'moves', { ...streamed(shards), steps: 1 }))).toMatchObject({ code: 0 });
  renameSync(shards, moved);
  const resume = (where: string) => [
    ...['train', '--resume', join(runs, 'moves'), '--runs', runs, '--backend', 'wasm'],
    ...['--set', 'steps=2', '--set', `data.shards=${JSON.stringify([where])}`],
  ];
  expect(await trainer(resume(moved))).toMatchObject({ code: 0 });
  const others = await trainer(resume(join(moved, '*4.tar')));
  expect(others).toMatchObject({
    code: 2,
    text: expect.stringMatching(/DATA_SHARDS_CHANGED: .*250 pictures then, 25 pictures now/),
  });
  renameSync(moved, shards);
});

test.each<[Record<string, unknown>, RegExp]>([
  [{ 'data.dataset': 'shards' }, /data\.shards: dataset is shards, and none are given/],
  [{ 'data.shards': ['a.tar'] }, /data\.shards: are given, and dataset is emoji/],
  [
    { ...streamed('a.tar'), 'data.latents': 'x', codec: 'emoji-64-kl' },
    /data\.latents: pictures of streamed shards are encoded when/,
  ],
  [{ ...streamed('a.tar'), 'data.documents': 'x' }, /data\.documents: documents are not mixed with shards/],
  [{ ...streamed('a.tar'), 'data.imageSizes': ['8x8', '8x16'] }, /data\.imageSizes: is for pictures of your own/],
  [streamed('nowhere/a.tar'), /DATA_UNREADABLE: shard nowhere\/a\.tar/],
])('what contradicts itself is refused: %j', async (fields, message) => {
  const { code, text } = await trainer(tiny(runs, 'refused', fields));
  expect([code, text]).toEqual([2, expect.stringMatching(message)]);
});
