/** @file A folder is replaced whole or not at all, wherever its writing breaks off. */
import { type Files, folderBytes, readFolder, readFolderFile, writeFolder } from './folders.js';
import { MemoryStore } from './storage.js';

const version = (fill: number): Files => {
  return new Map([
    ['config.json', new Uint8Array(3).fill(fill)],
    ['vae/config.json', new Uint8Array(5).fill(fill)],
  ]);
};

/** Breaks at the given operation, in the middle of it where it writes. */
class BreakingStore extends MemoryStore {
  left = Number.POSITIVE_INFINITY;

  override async write(path: string, bytes: Uint8Array): Promise<void> {
    if (this.left-- > 0) return super.write(path, bytes);
    await super.write(path, bytes.subarray(0, bytes.length >> 1));
    throw new DOMException('full', 'QuotaExceededError');
  }

  override async remove(path: string): Promise<void> {
    if (this.left-- <= 0) throw new DOMException('gone', 'InvalidStateError');
    await super.remove(path);
  }
}

test('what was written is read, and versions follow each other', async () => {
  const store = new MemoryStore();
  expect(await readFolder(store, 'run')).toBeUndefined();
  for (const fill of [1, 2, 3]) {
    await writeFolder(store, 'run', version(fill));
    expect(await readFolder(store, 'run')).toEqual(version(fill));
  }
  expect(await folderBytes(store, 'run')).toBe(8);
  expect(await readFolderFile(store, 'run', 'vae/config.json')).toEqual(new Uint8Array(5).fill(3));
  expect(await store.list('run')).toHaveLength(1);
});

test('wherever it breaks off, the one or the other version is there, whole; and the next write works', async () => {
  const outcomes: number[] = [];
  for (let operations = 0; operations < 6; operations++) {
    const store = new BreakingStore();
    await writeFolder(store, 'run', version(1));
    store.left = operations;
    await writeFolder(store, 'run', version(2)).catch(() => {});
    const found = await readFolder(store, 'run');
    const fill = found!.get('config.json')![0];
    expect(found).toEqual(version(fill));
    outcomes.push(fill);
    store.left = Number.POSITIVE_INFINITY;
    await writeFolder(store, 'run', version(3));
    expect(await readFolder(store, 'run')).toEqual(version(3));
  }
  // Removing what lies in the way, two files, the manifest; then removing the old one.
  expect(outcomes).toEqual([1, 1, 1, 1, 2, 2]);
});

test('a file that the browser removed is a folder that is not there', async () => {
  const store = new MemoryStore();
  await writeFolder(store, 'run', version(1));
  await store.remove('run/a/config.json');
  expect(await readFolder(store, 'run')).toBeUndefined();
});
