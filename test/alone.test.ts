/** @file What is installed alone has what it declares, and nothing else. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installAlone } from '../scripts/lib/alone.mjs';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'transfusion-alone-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A package that imports others, and prints its name. */
function pack(path: string, manifest: object, imports: readonly string[] = []): void {
  mkdirSync(join(folder, path), { recursive: true });
  writeFileSync(join(folder, path, 'package.json'), JSON.stringify({ main: 'index.cjs', ...manifest }));
  const lines = [...imports.map((name) => `require('${name}');`), `console.log('${path}');`];
  writeFileSync(join(folder, path, 'index.cjs'), lines.join('\n'));
}

const use = (name: string) =>
  execFileSync(process.execPath, ['-e', `require('${name}')`], {
    cwd: join(folder, 'to'),
    encoding: 'utf8',
    stdio: 'pipe',
  });
const install = (names: string[], without: string[] = []) =>
  installAlone({ from: join(folder, 'from'), folder: join(folder, 'to'), names, without });

test('dependencies of dependencies, peers, but for optional ones; those inside a package come with it', () => {
  pack(
    'from/node_modules/@own/a',
    { dependencies: { b: '1' }, peerDependencies: { p: '1', o: '1' }, peerDependenciesMeta: { o: { optional: true } } },
    ['b', 'p'],
  );
  pack('from/node_modules/b', { dependencies: { inner: '1' }, optionalDependencies: { elsewhere: '1' } }, ['inner']);
  pack('from/node_modules/b/node_modules/inner', { dependencies: { outer: '1' } }, ['outer']);
  for (const name of ['inner', 'outer', 'p', 'o', 'other']) pack(`from/node_modules/${name}`, {});
  expect(install(['@own/a'])).toEqual(['@own/a', 'b', 'outer', 'p']);
  expect(use('@own/a').trim().split('\n')).toEqual([
    ...['outer', 'b/node_modules/inner', 'b', 'p', '@own/a'].map((name) => `from/node_modules/${name}`),
  ]);
  expect(() => use('other')).toThrow(/Cannot find module 'other'/);
});

test('what is imported without being declared fails, though it is installed beside', () => {
  pack('from/node_modules/a', {}, ['b']);
  pack('from/node_modules/b', {});
  install(['a']);
  expect(() => use('a')).toThrow(/Cannot find module 'b'/);
});

test('of a workspace only what it publishes', () => {
  pack('workspaces/a', { files: ['index.cjs', 'none'] });
  writeFileSync(join(folder, 'workspaces/a/secret.txt'), '');
  mkdirSync(join(folder, 'from/node_modules'), { recursive: true });
  symlinkSync(join(folder, 'workspaces/a'), join(folder, 'from/node_modules/a'), 'junction');
  install(['a']);
  expect(use('a')).toBe('workspaces/a\n');
  expect(existsSync(join(folder, 'to/node_modules/a/secret.txt'))).toBe(false);
});

test('what is missing is named, with who needs it, unless it is to be left out', () => {
  pack('from/node_modules/a', { dependencies: { b: '1' } });
  expect(install(['a'], ['b'])).toEqual(['a']);
  rmSync(join(folder, 'to'), { recursive: true });
  expect(() => install(['a'])).toThrow(/^b, which a needs, is not installed in /);
});
