import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkWritableFile, checkWritableFolder, writeOutputFile } from './output-file.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-output-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('checking leaves nothing behind, neither files nor folders', async () => {
  await checkWritableFile(join(folder, 'deep', 'er', 'a.png'));
  await checkWritableFolder(join(folder, 'new'));
  expect(await readdir(folder)).toEqual([]);
});

test('writing makes the folder and replaces a file at once', async () => {
  const path = join(folder, 'deep', 'a.txt');
  await writeOutputFile(path, 'one');
  await writeOutputFile(path, 'two');
  expect(await readFile(path, 'utf8')).toBe('two');
  expect(await readdir(join(folder, 'deep'))).toEqual(['a.txt']);
});

test('what cannot be written is told, and nothing is left', async () => {
  const file = join(folder, 'file');
  await writeFile(file, '');
  await mkdir(join(folder, 'sub'));
  await expect(checkWritableFile(join(folder, 'sub'))).rejects.toThrow(/OUTPUT_UNWRITABLE.*it is a folder/);
  await expect(checkWritableFile(join(file, 'a.png'))).rejects.toThrow(/OUTPUT_UNWRITABLE/);
  await expect(checkWritableFolder(file)).rejects.toThrow(/OUTPUT_UNWRITABLE.*it is a file/);
  await expect(checkWritableFolder(folder)).rejects.toThrow(/OUTPUT_EXISTS/);
  await expect(writeOutputFile(join(file, 'a.png'), 'x')).rejects.toThrow(/OUTPUT_UNWRITABLE/);
  await expect(writeOutputFile(join(folder, 'sub'), 'x')).rejects.toThrow(/OUTPUT_UNWRITABLE/);
  expect((await readdir(folder)).sort()).toEqual(['file', 'sub']);
});
