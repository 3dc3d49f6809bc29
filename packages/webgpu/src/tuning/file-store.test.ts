import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheFolder, fileTuningStore } from './file-store.js';

let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'webgpu-tuning-')), 'deep', 'folder');
});
afterEach(() => rm(join(folder, '../..'), { recursive: true, force: true }));

const key = 'nvidia | hopper | | H100 | kernels 0123456789abcdef';

async function onlyFile(): Promise<string> {
  const files = await readdir(folder);
  expect(files).toHaveLength(1);
  return join(folder, files[0]);
}

test('what is saved is loaded, under its own key only', async () => {
  const store = fileTuningStore(folder);
  expect(await store.load(key)).toBeUndefined();
  await store.save(key, { small: 'tiled' });
  await store.save(key, { large: 'subgroup', small: 'skinny' });
  await store.save('another adapter', { small: 'quad' });
  expect(await fileTuningStore(folder).load(key)).toEqual({ small: 'skinny', large: 'subgroup' });
  expect(await store.load('another adapter')).toEqual({ small: 'quad' });
  expect(await readdir(folder)).toHaveLength(2);
});

test('many saves at once leave a whole file', async () => {
  const store = fileTuningStore(folder);
  await Promise.all(Array.from({ length: 30 }, (_, i) => store.save(key, { [`class ${i}`]: 'tiled' })));
  expect(Object.keys((await store.load(key))!).length).toBeGreaterThan(0);
  await onlyFile();
});

test.each([
  ['cut off', (text: string) => text.slice(0, text.length / 2)],
  ['empty', () => ''],
  ['binary', () => '\0\u0001\u0002'],
  ['something else', () => '[1, 2, 3]'],
  ['null', () => 'null'],
  ['of another format', (text: string) => text.replace('"format": 1', '"format": 99')],
  ['of another adapter', (text: string) => text.replace('nvidia', 'amd')],
  ['huge', (text: string) => text + ' '.repeat(2 ** 21)],
])('a file that is %s does no harm, and the next save mends it', async (_, damage) => {
  const store = fileTuningStore(folder);
  await store.save(key, { small: 'tiled' });
  const file = await onlyFile();
  await writeFile(file, damage(await readFile(file, 'utf8')));
  expect(await store.load(key)).toBeUndefined();
  await store.save(key, { small: 'skinny' });
  expect(await store.load(key)).toMatchObject({ small: 'skinny' });
});

test('entries that cannot be any are left out, and too many are none', async () => {
  const store = fileTuningStore(folder);
  await store.save(key, { small: 'tiled' });
  const file = await onlyFile();
  const content = JSON.parse(await readFile(file, 'utf8'));
  const entries = { ...content.entries, number: 1, long: 'x'.repeat(1000), ['y'.repeat(1000)]: 'tiled', list: [] };
  await writeFile(file, JSON.stringify({ ...content, entries }));
  expect(await store.load(key)).toEqual({ small: 'tiled' });
  const many = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`class ${i}`, 'tiled']));
  await writeFile(file, JSON.stringify({ ...content, entries: many }));
  expect(await store.load(key)).toBeUndefined();
});

test('a folder that cannot be made is an error of the store', async () => {
  await fileTuningStore(folder).save(key, { small: 'tiled' });
  const inFile = fileTuningStore(join(await onlyFile(), 'below'));
  await expect(inFile.save(key, { small: 'tiled' })).rejects.toThrow();
  expect(await inFile.load(key)).toBeUndefined();
});

test('processes that write at once leave one of their files whole', async () => {
  await fileTuningStore(folder).save(key, { start: 'tiled' });
  const file = await onlyFile();
  const before = JSON.parse(await readFile(file, 'utf8'));
  // What replaceFile does, from other processes, with files of very different lengths.
  const script = `
    import { rename, writeFile } from 'node:fs/promises';
    const [file, own, content] = process.argv.slice(1);
    for (let i = 0; i < 60; i++) {
      await writeFile(file + '.' + own + i, content);
      await rename(file + '.' + own + i, file);
    }`;
  const writers = ['a', 'b'].map((own) => {
    const entries = Object.fromEntries(Array.from({ length: own === 'a' ? 2000 : 1 }, (_, i) => [`${own}${i}`, own]));
    const content = JSON.stringify({ ...before, entries });
    return new Promise((resolve) =>
      spawn(process.execPath, ['--input-type=module', '--eval', script, file, own, content]).on('exit', resolve),
    );
  });
  let ended = false;
  const all = Promise.all(writers).then((statuses) => {
    ended = true;
    return statuses;
  });
  const store = fileTuningStore(folder);
  while (!ended) {
    await store.save(key, { own: 'tiled' });
    expect(await store.load(key)).toBeDefined();
  }
  expect(await all).toEqual([0, 0]);
  await store.save(key, { own: 'tiled' });
  expect(await store.load(key)).toMatchObject({ own: 'tiled' });
  expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

test('the folder is in the cache folder of the user', () => {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  const end = join('transfusion', 'webgpu-tuning');
  const variable = process.platform === 'win32' ? 'LOCALAPPDATA' : 'XDG_CACHE_HOME';
  try {
    process.env[variable] = tmpdir();
    expect(cacheFolder()).toBe(join(tmpdir(), end));
    process.env[variable] = 'relative';
    expect(cacheFolder().startsWith(homedir())).toBe(true);
    delete process.env[variable];
    expect(cacheFolder().endsWith(end)).toBe(true);
  } finally {
    for (const [name, value] of Object.entries({ XDG_CACHE_HOME, LOCALAPPDATA })) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
});
