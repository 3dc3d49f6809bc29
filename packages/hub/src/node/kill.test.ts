/** @file Processes that are killed while they fetch, and processes at once: what they leave is right, and is gone on with. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileSources, linkPackages } from '../../../checkpoint/src/testing/compile-sources.js';
import { etagOf, sha256 } from '../testing/hub-server.js';
import { expectFiles, FETCHED, files, useTinyHub, weights } from '../testing/tiny-hub.js';

const KILLS = 6;
const CHILD = `
import { fromHub } from './node/index.js';
const [endpoint, cacheDir] = process.argv.slice(2);
const source = await fromHub('owner/tiny', { endpoint, cacheDir, retries: 2 });
console.log(source.commit);
`;

const hub = useTinyHub();
let script: string;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-hub-kill-'));
  const packages = join(__dirname, '../../..');
  const modules = join(folder, 'node_modules');
  await compileSources(join(packages, 'hub/src'), folder);
  for (const name of ['core', 'checkpoint']) {
    await compileSources(join(packages, name, 'src'), join(modules, '@transfusion', name));
  }
  await linkPackages(['fastest-levenshtein', 'zod'], modules);
  script = join(folder, 'child.js');
  await writeFile(script, CHILD);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function start(): { child: ChildProcess; end: Promise<{ output: string; errors: string }> } {
  const child = spawn(process.execPath, [script, hub.server.url, hub.cacheDir], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [output, errors]: string[][] = [[], []];
  child.stdout.on('data', (data) => output.push(String(data)));
  child.stderr.on('data', (data) => errors.push(String(data)));
  const end = new Promise<{ output: string; errors: string }>((resolve) => {
    child.on('close', () => resolve({ output: output.join(''), errors: errors.join('') }));
  });
  return { child, end };
}

const asked = () => hub.server.requests.filter(({ path }) => path === `/${sha256(weights)}`);
const blobs = async () => (await readdir(join(hub.folder, 'blobs'))).sort();

test(`killed ${KILLS} times: each goes on where the one before was`, async () => {
  const begins: number[] = [];
  for (let i = 0; i < KILLS; i++) {
    let kill = () => {};
    // A part of the rest, then silence: that is when it is killed.
    hub.faults((request, response) => {
      const begin = Number(request.range!.slice(0, -1));
      begins.push(begin);
      response.writeHead(206, {
        'Content-Length': weights.length - begin,
        'Content-Range': `bytes ${begin}-${weights.length - 1}/${weights.length}`,
      });
      response.write(weights.subarray(begin, begin + 400_000), () => setTimeout(() => kill(), 300));
      return true;
    });
    const { child, end } = start();
    kill = () => child.kill('SIGKILL');
    expect(await end).toEqual({ output: '', errors: '' });
  }
  expect(begins[0]).toBe(0);
  for (const [i, begin] of begins.entries()) if (i > 0) expect(begin).toBeGreaterThan(begins[i - 1]);
  hub.server.forget();
  expect(await start().end).toEqual({ output: `${hub.commit}\n`, errors: '' });
  expect(Number(asked()[0].range!.slice(0, -1))).toBeGreaterThan(begins.at(-1)!);
  hub.server.forget();
  await expectFiles(await hub.open({ localFilesOnly: true, verify: true }));
  expect(await blobs()).toEqual(FETCHED.map((name) => etagOf(name, files[name])).sort());
});

test('three processes at once, on nothing and on what one left that was killed', async () => {
  for (let round = 0; round < 2; round++) {
    const ends = [start(), start(), start()].map(({ end }) => end);
    for (const end of ends) expect(await end).toEqual({ output: `${hub.commit}\n`, errors: '' });
    await expectFiles(await hub.open({ localFilesOnly: true, verify: true }));
    expect(await blobs()).toEqual(FETCHED.map((name) => etagOf(name, files[name])).sort());
    await rm(hub.folder, { recursive: true });
    const partial = join(hub.folder, 'blobs', `${sha256(weights)}.x-0-00000000.incomplete`);
    await mkdir(join(hub.folder, 'blobs'), { recursive: true });
    await writeFile(partial, weights.subarray(0, 1_000_000));
  }
});
