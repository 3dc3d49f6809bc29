import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { z } from 'zod';
import { compileSources, linkPackages } from '../testing/compile-sources.js';
import { loadModelFolder, openCheckpoint } from './index.js';

const KILLS = 50;
const stateSchema = z.strictObject({ version: z.int() });

/** Saves versions from the given one on, for ever, and tells of each. Its tensors are filled with the version. */
const CHILD = `
import { saveModelFolder } from './node/index.js';
const [path, first] = process.argv.slice(2);
console.log('ready');
for (let version = Number(first); ; version++) {
  const tensors = new Map();
  for (const name of ['a', 'b']) tensors.set(name, { shape: [30000], data: new Float32Array(30000).fill(version) });
  await saveModelFolder({ path, config: { version }, tensors, trainer: { state: { version }, optimizer: tensors } });
  console.log('saved ' + version);
}
`;

/** The child, and what it imports. */
async function writeChild(target: string): Promise<void> {
  const packages = join(__dirname, '../../..');
  const modules = join(target, 'node_modules');
  await compileSources(join(packages, 'checkpoint/src'), target);
  await compileSources(join(packages, 'core/src'), join(modules, '@transfusion/core'));
  await writeFile(join(target, 'child.js'), CHILD);
  await linkPackages(['fastest-levenshtein', 'zod'], modules);
}

/** Runs the child until it is killed `delay` milliseconds after it is ready; returns the last version it told of. */
async function saveUntilKilled(script: string, path: string, first: number, delay: number): Promise<number> {
  const child = spawn(process.execPath, [script, path, String(first)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.on('data', (data) => {
    if (output === '') setTimeout(() => child.kill('SIGKILL'), delay);
    output += data;
  });
  child.stderr.on('data', (data) => {
    errors += data;
  });
  await new Promise((resolve) => child.on('close', resolve));
  expect(errors).toBe('');
  const saved = [...output.matchAll(/saved (\d+)\n/g)];
  return saved.length > 0 ? Number(saved[saved.length - 1][1]) : first - 1;
}

test(`killed ${KILLS} times at random moments while saving: the checkpoint always loads`, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'transfusion-kill-'));
  try {
    await writeChild(folder);
    const path = join(folder, 'model');
    let last = 0;
    // The first moments are dense, so that interrupted first and second saves are among them.
    const delays = fc.sample(fc.integer({ min: 0, max: 90 }), { numRuns: KILLS, seed: 3 });
    for (const delay of delays) {
      const saved = await saveUntilKilled(join(folder, 'child.js'), path, last + 1, delay);
      if (saved === 0 && (await readdir(folder)).every((name) => !/^model(\.new-\d+)?$/.test(name))) continue;
      const model = await loadModelFolder({ path, configSchema: stateSchema });
      const { version } = model.config;
      // What was told is there; one more version may have been finished before it could be told.
      expect(version).toBeGreaterThanOrEqual(saved);
      expect(version).toBeLessThanOrEqual(saved + 1);
      const { state, optimizer } = await openCheckpoint(path, async (reader) => ({
        state: await reader.readJson('trainer_state.json', stateSchema),
        optimizer: await reader.readTensors('optimizer.safetensors'),
      }));
      expect(state.version).toBe(version);
      for (const { data } of [...model.tensors.values(), ...optimizer.values()]) {
        expect(data).toHaveLength(30_000);
        expect(data.every((value) => value === version)).toBe(true);
      }
      last = version;
    }
    expect(last).toBeGreaterThan(10);
    // Nothing piles up: leftovers of dead writers are removed by the next one.
    const leftovers = (await readdir(folder)).filter((name) => name.startsWith('model'));
    expect(leftovers.length).toBeLessThanOrEqual(3);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
