/**
 * @file Kills ranks of a run at random moments, and checks that it ends with the bytes of a run that nobody hurt.
 *
 * Usage, after a build: node apps/trainer/scripts/lose-ranks.mjs [--kills 20] [--ranks 2] [--steps 1500] [--seed 1]
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    ranks: { type: 'string', default: '2' },
    steps: { type: 'string', default: '1500' },
    seed: { type: 'string', default: '1' },
  },
});
const [kills, ranks, steps] = [values.kills, values.ranks, values.steps].map(Number);
const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const runs = mkdtempSync(join(tmpdir(), 'transfusion-lost-ranks-'));
const random = lehmer(Number(values.seed));

try {
  console.log(`a run of ${steps} steps that nobody hurts`);
  await ended(start('unhurt', []));
  const told = await hurt();
  const same = ['model.safetensors', 'optimizer.safetensors'].every((file) =>
    readFileSync(join(runs, 'unhurt/model', file)).equals(readFileSync(join(runs, 'hurt/model', file))),
  );
  console.log(`${told.killed} ranks killed, ${told.named} named: ${same ? 'the same bytes' : 'OTHER BYTES'}`);
  if (!same || told.killed < kills || told.named < told.killed) process.exitCode = 1;
} finally {
  rmSync(runs, { recursive: true, force: true });
}

/** Kills a rank some time after every start, until so many are dead. */
async function hurt() {
  const run = start('hurt', ['--ranks', `${ranks}`, '--max-restarts', `${kills}`]);
  let killed = 0;
  while (killed < kills && run.child.exitCode === null) {
    await new Promise((done) => setTimeout(done, 200 + 9000 * random()));
    const alive = ranksOf(run.child.pid);
    if (alive.length < ranks) continue;
    try {
      process.kill(alive[Math.floor(random() * alive.length)], 'SIGKILL');
    } catch {
      continue;
    }
    killed++;
    const named = () => (run.text().match(/rank \d+ was killed by SIGKILL/g) ?? []).length;
    while (named() < killed && run.child.exitCode === null) await new Promise((done) => setTimeout(done, 50));
    const step = existsSync(join(runs, 'hurt/model')) ? state('hurt').step : 'none';
    console.log(`killed ${killed} of ${kills}; the last checkpoint is of step ${step}`);
  }
  await ended(run);
  return { killed, named: (run.text().match(/rank \d+ was killed by SIGKILL/g) ?? []).length };
}

function state(name) {
  return JSON.parse(readFileSync(join(runs, name, 'model/trainer_state.json'), 'utf8'));
}

function start(name, more) {
  const fields = {
    ...{ name, steps, checkpointEvery: 10, 'sample.every': 0, 'batch.accumulation': ranks, 'batch.rows': 2 },
    'learningRate.totalSteps': steps,
  };
  const set = Object.entries(fields).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  const argv = ['train', '--preset', 'tiny', '--backend', 'wasm', '--threads', '1', '--runs', runs, ...set, ...more];
  const child = spawn(process.execPath, [cli, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (text += part));
  return { child, text: () => text };
}

function ended({ child, text }) {
  return new Promise((done, fail) => {
    const end = (code) => (code === 0 ? done() : fail(new Error(`exit code ${code}\n${text()}`)));
    if (child.exitCode !== null) end(child.exitCode);
    else child.on('exit', end);
  });
}

/** Processes of Node below this one: the ranks. */
function ranksOf(pid) {
  const all = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
    .map(([, own, parent, command]) => ({ pid: Number(own), parent: Number(parent), command }));
  const below = (parent) => all.filter((each) => each.parent === parent).flatMap((each) => [each, ...below(each.pid)]);
  return below(pid)
    .filter(({ command }) => command.startsWith(process.execPath))
    .map((each) => each.pid);
}

/** Numbers in [0, 1). */
function lehmer(seed) {
  let state = (seed * 48_271) % 0x7fff_ffff || 1;
  return () => (state = (state * 48_271) % 0x7fff_ffff) / 0x7fff_ffff;
}
