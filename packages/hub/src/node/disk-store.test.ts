/** @file Disks without links, and full ones. */
import { lstat, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gitHash } from '../testing/hub-server.js';
import { DiskStore } from './disk-store.js';

const COMMIT = 'c'.repeat(40);
const bytes = Buffer.from('{"a": 1}\n');
const file = { size: bytes.length, hash: gitHash(bytes) };
let folder: string;
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'transfusion-hub-disk-'))));
afterEach(() => rm(folder, { recursive: true, force: true }));

const failing = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code, syscall: 'symlink' }));

test('without links, files stand in the snapshot: as Python has them there', async () => {
  const store = new DiskStore(folder, 'owner/tiny', failing('EPERM'));
  const fill = jest.fn(async (partial) => partial.append(bytes));
  await store.keep(COMMIT, 'vae/config.json', file, fill);
  const path = join(store.snapshot(COMMIT), 'vae/config.json');
  expect((await lstat(path)).isFile()).toBe(true);
  expect(await readdir(join(store.folder, 'blobs'))).toEqual([]);
  expect(await store.has(COMMIT, 'vae/config.json', file)).toBe(true);
  expect(await store.hash(COMMIT, 'vae/config.json', file)).toBe(file.hash);
  expect([...(await store.filesOf(COMMIT))]).toEqual([['vae/config.json', { size: 9, hash: '' }]]);
  expect(fill).toHaveBeenCalledTimes(1);
});

test('without links, a blob that is there already is copied, since other commits may have it', async () => {
  const fill = jest.fn(async (partial) => partial.append(bytes));
  await new DiskStore(folder, 'owner/tiny').keep(COMMIT, 'config.json', file, fill);
  const store = new DiskStore(folder, 'owner/tiny', failing('EPERM'));
  await store.keep('d'.repeat(40), 'config.json', file, fill);
  expect((await lstat(join(store.snapshot('d'.repeat(40)), 'config.json'))).isFile()).toBe(true);
  expect(await readFile(join(store.snapshot(COMMIT), 'config.json'))).toEqual(bytes);
  expect(fill).toHaveBeenCalledTimes(1);
});

test.each([
  [
    'ENOSPC',
    /^HUB_CACHE: cannot keep files in .*models--owner--tiny: no room\n {2}fix: the disk is full: free some space/,
  ],
  ['EIO', /^HUB_CACHE: .*\n {2}fix: keep them elsewhere: HF_HUB_CACHE, or `cacheDir`/],
])('%s while it is written: said, and what came is there for the next time', async (code, message) => {
  const store = new DiskStore(folder, 'owner/tiny');
  const full = store.keep(COMMIT, 'config.json', file, async (partial) => {
    await partial.append(bytes.subarray(0, 4));
    throw Object.assign(new Error('no room'), { code, syscall: 'write' });
  });
  await expect(full).rejects.toThrow(message);
  expect(await store.has(COMMIT, 'config.json', file)).toBe(false);
  const fill = jest.fn(async (partial) => {
    expect(partial.length).toBe(4);
    await partial.append(bytes.subarray(4));
  });
  await store.keep(COMMIT, 'config.json', file, fill);
  expect(await readFile(join(store.snapshot(COMMIT), 'config.json'))).toEqual(bytes);
});
