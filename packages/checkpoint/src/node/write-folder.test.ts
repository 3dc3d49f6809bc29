import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { locateFolder, writeFolder } from './index.js';

let parent: string;
let path: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'transfusion-folder-'));
  path = join(parent, 'model');
});
afterEach(() => rm(parent, { recursive: true, force: true }));

const write = (version: string, owned?: string[]) =>
  writeFolder(path, { 'config.json': version, 'a/b.bin': version }, { owned });
const read = async () => readFile(join(await locateFolder(path), 'config.json'), 'utf8');

describe('writeFolder', () => {
  test('writes text, bytes and pieces, in folders, and leaves nothing else', async () => {
    const file = {
      *[Symbol.iterator]() {
        yield new Uint8Array([1]);
        yield new Uint8Array([2, 3]);
      },
    };
    await writeFolder(join(parent, 'x', 'model'), { 'a.txt': 'ü', 'b/c.bin': new Uint8Array([7]), d: file });
    expect(await readFile(join(parent, 'x/model/a.txt'), 'utf8')).toBe('ü');
    expect([...(await readFile(join(parent, 'x/model/b/c.bin')))]).toEqual([7]);
    expect([...(await readFile(join(parent, 'x/model/d')))]).toEqual([1, 2, 3]);
    expect(await readdir(join(parent, 'x'))).toEqual(['model']);
  });

  test('replaces its own folder, keeps other files, drops owned ones', async () => {
    await write('1');
    await mkdir(join(path, 'samples'));
    await writeFile(join(path, 'samples', 'one.png'), 'png');
    await writeFile(join(path, 'optimizer'), 'old');
    await write('2', ['optimizer']);
    expect(await read()).toBe('2');
    expect(await readFile(join(path, 'samples', 'one.png'), 'utf8')).toBe('png');
    expect((await readdir(path)).sort()).toEqual(['a', 'config.json', 'samples']);
    expect(await readdir(parent)).toEqual(['model']);
  });

  test('a folder or file that holds something else is not touched', async () => {
    await mkdir(path);
    await writeFile(join(path, 'thesis.txt'), 'years of work');
    await expect(write('1')).rejects.toThrow(/CHECKPOINT_WRITE_FAILED.*thesis\.txt.*no config\.json/);
    expect(await readdir(path)).toEqual(['thesis.txt']);
    await writeFile(join(parent, 'file'), '');
    await expect(writeFolder(join(parent, 'file'), { a: '' })).rejects.toThrow(/is a file/);
    await expect(writeFolder(join(parent, 'file', 'model'), { a: '' })).rejects.toThrow(/CHECKPOINT_WRITE_FAILED/);
    expect((await readdir(parent)).sort()).toEqual(['file', 'model']);
  });

  test.each(['../x', '/x', 'a/../b', 'a//b', '', 'a\\b', 'c:x', '.'])('refuses the name %p', async (name) => {
    await expect(writeFolder(path, { [name]: '' })).rejects.toThrow('CHECKPOINT_WRITE_FAILED');
    expect(await readdir(parent)).toEqual([]);
  });

  test('a disk that fills up midway leaves the old version and nothing else', async () => {
    await write('1');
    const failing = {
      async *[Symbol.asyncIterator]() {
        yield new Uint8Array(1000);
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
      },
    };
    await expect(writeFolder(path, { 'config.json': '2', big: failing })).rejects.toThrow(
      /CHECKPOINT_WRITE_FAILED: cannot write .*model: ENOSPC[\s\S]*the disk is full/,
    );
    expect(await read()).toBe('1');
    expect(await readdir(parent)).toEqual(['model']);
  });

  // The superuser may write anywhere, and Windows has other permissions.
  const canBeDenied = process.platform !== 'win32' && process.getuid?.() !== 0;
  (canBeDenied ? test : test.skip)('a folder without write permission', async () => {
    await write('1');
    await chmod(parent, 0o555);
    try {
      await expect(write('2')).rejects.toThrow(/CHECKPOINT_WRITE_FAILED.*permission/);
      expect(await read()).toBe('1');
    } finally {
      await chmod(parent, 0o755);
    }
  });
});

describe('after a crash', () => {
  const at = (suffix: string) => `${path}.${suffix}`;
  const version = async (folder: string, text: string) => {
    await mkdir(folder);
    await writeFile(join(folder, 'config.json'), text);
  };

  test('while the files were written', async () => {
    await write('1');
    await version(at('tmp-999999999-abc'), 'half');
    expect(await read()).toBe('1');
    await write('2');
    expect(await readdir(parent)).toEqual(['model']);
  });

  test('before the old version was moved away', async () => {
    await write('1');
    await version(at('new-1'), '2');
    expect(await read()).toBe('1');
    await write('3');
    expect(await read()).toBe('3');
    expect(await readdir(parent)).toEqual(['model']);
  });

  test('between the two renames', async () => {
    await write('1');
    await rename(path, at('old-7'));
    await version(at('new-7'), '2');
    expect(await read()).toBe('2');
    await rm(at('new-7'), { recursive: true });
    expect(await read()).toBe('1');
    await version(at('new-7'), '2');
    await write('3');
    expect(await read()).toBe('3');
    expect(await readdir(parent)).toEqual(['model']);
  });

  test('before the old version was deleted', async () => {
    await write('2');
    await version(at('old-12'), '1');
    expect(await read()).toBe('2');
    await write('3');
    expect(await readdir(parent)).toEqual(['model']);
  });

  test('the first save', async () => {
    await version(at('tmp-999999999-abc'), 'half');
    await expect(locateFolder(path)).rejects.toThrow(/CHECKPOINT_MISSING: folder .*model does not exist/);
    await version(at('new-1'), '1');
    expect(await read()).toBe('1');
  });

  test('folders that only look alike are left alone', async () => {
    for (const name of ['model.new', 'model.old-x', 'model.tmp', 'model2', 'model.new-1x'])
      await mkdir(join(parent, name));
    await expect(locateFolder(path)).rejects.toThrow('CHECKPOINT_MISSING');
    await write('1');
    expect(await readdir(parent)).toHaveLength(6);
    expect((await stat(path)).isDirectory()).toBe(true);
  });
});
