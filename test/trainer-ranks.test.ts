/** @file The built trainer as ranks of MPI: the bytes of one process, after a lost rank too; one save when told to stop. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { checkpointHash, temporaryFolder, tiny, tinyVae, trainerState } from './support/trainer';

const cli = resolve('apps/trainer/dist/cli.js');
const folder = temporaryFolder();
const runs = join(folder, 'runs');

/** Launchers that this machine has; where they have names of their own, `mpirun` is one of them. */
const named = ['mpirun.mpich', 'mpirun.openmpi'].filter(isThere);
const launchers = named.length > 0 ? named : ['mpirun'].filter(isThere);
const [launcher] = launchers;
const withMpi = launcher === undefined ? test.skip : test;
const needed = launcher === undefined ? ' (no MPI: apt-get install mpich, or openmpi-bin)' : '';

function isThere(name: string): boolean {
  return process.platform !== 'win32' && spawnSync(name, ['--version']).status === 0;
}

interface Ended {
  code: number | null;
  text: string;
}

function start(argv: readonly string[], mpi = launcher): { child: ChildProcess; ended: Promise<Ended> } {
  const env = { ...process.env, TRANSFUSION_MPI_LAUNCHER: mpi };
  const child = spawn(process.execPath, [cli, ...argv], { env });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (text += part));
  const ended = new Promise<Ended>((done) => {
    child.on('close', (code) => done({ code, text }));
  });
  return { child, ended };
}

async function finished(argv: readonly string[], mpi = launcher): Promise<Ended> {
  const ended = await start(argv, mpi).ended;
  if (ended.code !== 0) throw new Error(`exit code ${ended.code}\n${ended.text}`);
  return ended;
}

const shared = { steps: 12, logEvery: 1, checkpointEvery: 4, 'batch.accumulation': 2, 'batch.rows': 2 };
const train = (name: string, set: Record<string, unknown> = {}) => tiny(runs, name, { ...shared, ...set }, 1);
const ranks = (count: number) => ['--ranks', `${count}`];

beforeAll(async () => {
  if (launcher !== undefined) await finished(train('alone'));
});

withMpi(`two ranks leave the checkpoint of one process${needed}`, async () => {
  for (const mpi of launchers) {
    const name = `two-${mpi.replace('.', '-')}`;
    const { text } = await finished([...train(name), ...ranks(2)], mpi);
    expect(text).toMatch(/ranks: 2, 2 of them on this machine, (MPICH|Open MPI)/);
    // The first rank reports, and the others are quiet.
    expect(text.match(/saved .* at step 12/g)).toHaveLength(1);
    expect(checkpointHash(join(runs, name))).toEqual(checkpointHash(join(runs, 'alone')));
  }
});

withMpi(`a rank that is killed: all start again from the checkpoint, to the same bytes${needed}`, async () => {
  const { child, ended } = start([...train('killed', { steps: 40 }), ...ranks(2), '--max-restarts', '2']);
  await lines('killed', 10);
  process.kill(ranksOf(child).at(-1)!, 'SIGKILL');
  const { code, text } = await ended;
  expect({ code, text }).toEqual({
    code: 0,
    text: expect.stringMatching(/rank \d was killed by SIGKILL; starting all ranks again \(restart 1 of 2\)/),
  });
  expect(text.match(/saved .* at step 40/g)).toHaveLength(1);
  await finished(train('unhurt', { steps: 40 }));
  expect(checkpointHash(join(runs, 'killed'))).toEqual(checkpointHash(join(runs, 'unhurt')));
});

withMpi(`Ctrl-C saves once; another number of ranks goes on${needed}`, async () => {
  const { child, ended } = start([...train('stopped', { steps: 100_000 }), ...ranks(2)]);
  await lines('stopped', 2);
  child.kill('SIGINT');
  const { code, text } = await ended;
  expect({ code, text }).toEqual({ code: 0, text: expect.stringContaining('--resume') });
  expect(text.match(/saved .* at step/g)).toHaveLength(1);
  const { step } = trainerState(join(runs, 'stopped'));
  await finished(['train', '--resume', join(runs, 'stopped'), '--runs', runs, '--set', `steps=${step + 2}`]);
  expect(trainerState(join(runs, 'stopped')).step).toBe(step + 2);
});

withMpi(`an autoencoder and its latents, too${needed}`, async () => {
  const set = { steps: 4, accumulation: 2, batchSize: 2, 'loss.adversarial': 0 };
  const alone = tinyVae(runs, 'vae-alone', set, 1);
  await finished(alone);
  await finished([...tinyVae(runs, 'vae-two', set, 1), ...ranks(2)]);
  expect(checkpointHash(join(runs, 'vae-two'))).toEqual(checkpointHash(join(runs, 'vae-alone')));
  const encode = (out: string) => [
    'encode',
    '--preset',
    'tiny',
    '--runs',
    runs,
    '--backend',
    'wasm',
    '--set',
    `codec=${join(runs, 'vae-alone/model')}`,
    '--out',
    join(folder, out),
  ];
  await finished(encode('latents-alone'));
  await finished([...encode('latents-two'), ...ranks(2)]);
  for (const file of ['latents.json', 'latents-00000.safetensors']) {
    expect(
      readFileSync(join(folder, 'latents-two', file)).equals(readFileSync(join(folder, 'latents-alone', file))),
    ).toBe(true);
  }
});

withMpi(`what ranks cannot share ends with bad input, and is not tried again${needed}`, async () => {
  const { code, text } = await start([...train('uneven'), ...ranks(3), '--max-restarts', '5']).ended;
  expect(code).toBe(2);
  expect(text).toMatch(/rank \d: .*RANKS_BATCHES: 3 ranks cannot share 2 micro-batches/);
  expect(text).not.toContain('starting all ranks again');
  expect(existsSync(join(runs, 'uneven/model'))).toBe(false);
});

/** Resolves when the run has written so many lines of metrics. */
async function lines(name: string, count: number): Promise<void> {
  const file = join(runs, name, 'metrics.jsonl');
  while (!existsSync(file) || readFileSync(file, 'utf8').split('\n').length <= count) {
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** The processes of Node below this one. */
function ranksOf({ pid }: ChildProcess): number[] {
  const all = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line)!)
    .map(([, own, parent, command]) => ({ pid: Number(own), parent: Number(parent), command }));
  const below = (parent: number): typeof all =>
    all.filter((each) => each.parent === parent).flatMap((each) => [each, ...below(each.pid)]);
  return below(pid!)
    .filter(({ command }) => command.startsWith(process.execPath))
    .map((each) => each.pid);
}
