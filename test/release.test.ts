/** @file What a release would publish, and what it refuses. */
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { changelogLine, describeTarballs, manifestProblems, releasePlan } from '../scripts/lib/release-plan.mjs';
import { publishedPackages, root } from '../scripts/lib/repository.mjs';
import { brokenLinks } from '../scripts/lib/site-links.mjs';

const run = promisify(execFile);
const url = 'git+https://example.org/owner/transfusion.git';
let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'transfusion-release-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('all packages lack at most the repository, which is not known yet', () => {
  const { fixed } = JSON.parse(readFileSync(join(root, '.changeset/config.json'), 'utf8'));
  const problems = manifestProblems(publishedPackages(), { repository: { url } }, fixed.flat());
  expect(problems.filter((problem) => !/: repository is not/.test(problem))).toEqual([]);
});

test('what keeps a package from being published is named', () => {
  const [{ folder: core, manifest }] = publishedPackages().filter(({ folder: each }) => each === 'packages/core');
  const told = (changes: object, repository?: object) =>
    manifestProblems([{ folder: core, manifest: { ...manifest, ...changes } }], { repository }, ['@transfusion/core']);
  const right = { type: 'git', url, directory: 'packages/core' };
  expect(told({ repository: right }, { url })).toEqual([]);
  expect(told({ repository: right })).toEqual([expect.stringMatching(/^package\.json: has no repository/)]);
  expect(told({ repository: { ...right, directory: 'packages/nn' } }, { url })).toEqual([
    expect.stringMatching(/"directory": "packages\/core"/),
  ]);
  expect(told({ repository: right, publishConfig: {} }, { url })).toEqual([
    'packages/core/package.json: publishConfig.access is not public',
    'packages/core/package.json: publishConfig.provenance is not true',
  ]);
  const alone = manifestProblems([{ folder: 'packages/none', manifest: { ...manifest, name: 'none' } }], {}, []);
  expect(alone).toContain('.changeset/config.json: fixed lacks none');
  expect(alone).toContain('packages/none/LICENSE: is not a copy of LICENSE');
});

test('versions and changelogs are those of the changesets', async () => {
  const { versions, lines } = await releasePlan();
  const names = publishedPackages().map(({ manifest }) => manifest.name);
  // They share a version: where one gets another, all do.
  expect([0, names.length]).toContain(versions.size);
  expect(new Set([...versions.values()].map(({ next }) => next)).size).toBeLessThanOrEqual(1);
  expect(versions.size > 0).toBe(lines.length > 0);
  const summary = 'One line,\nand on.\n\nMore.';
  const releases = [
    { name: 'b', type: 'patch' },
    { name: 'a', type: 'minor' },
  ];
  expect(changelogLine({ summary, releases })).toEqual({ kind: 'minor', text: 'One line, and on.', names: ['a', 'b'] });
  const packed = {
    size: 1234,
    unpackedSize: 56789,
    files: [{ path: 'LICENSE' }, { path: 'a.js' }, { path: 'a.js.map' }],
  };
  const next = new Map([['a', { now: '0.1.0', next: '0.2.0' }]]);
  expect(describeTarballs([{ name: 'a', manifest: { version: '0.1.0' }, packed }], next)).toEqual([
    'a  0.1.0 -> 0.2.0      1 kB packed,    57 kB unpacked',
    '  LICENSE a.js and 1 source maps',
  ]);
});

test('a working tree with changes is refused, and so is an unknown option', async () => {
  const clone = join(folder, 'clone');
  cpSync(join(root, 'scripts'), join(clone, 'scripts'), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'), 'junction');
  execFileSync('git', ['init', '-q'], { cwd: clone });
  const release = (...args: string[]) => run(process.execPath, ['scripts/release.mjs', ...args], { cwd: clone });
  await expect(release('--dry-run')).rejects.toThrow(/refused: the working tree has changes[\s\S]*scripts/);
  await expect(release('--dry')).rejects.toThrow(/unknown option '--dry'/);
});

test('links that lead nowhere are found', () => {
  const site = join(folder, 'site');
  cpSync(join(root, 'LICENSE'), join(site, 'a file.txt'));
  writeFileSync(join(site, 'other.html'), '<h1 id="top">x</h1>');
  const good = [
    'other.html',
    'other.html#top',
    '#here',
    'a%20file.txt',
    'https://example.org/none',
    'data:,',
    'mailto:a@b',
  ];
  const bad = ['none.html', 'other.html#bottom', '#there', 'img.png'];
  const page = [...good, ...bad].map((link) => `<a id="here" href="${link}"></a>`).join('');
  writeFileSync(join(site, 'index.html'), page);
  expect(brokenLinks(site)).toEqual(bad.map((link) => `index.html: ${link} leads nowhere`));
});
