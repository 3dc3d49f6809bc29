import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RanksEnd, SuperviseRanksOptions } from './supervise-ranks';
import { superviseRanks } from './supervise-ranks';
import { buildPrograms, testedMpis } from './testing/ranks';

const programs = buildPrograms('supervising', 'training');
const folders: string[] = [];
afterAll(() => {
  programs.remove();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function place(): string {
  const folder = mkdtempSync(join(tmpdir(), 'transfusion-supervise-'));
  folders.push(folder);
  return folder;
}

/** A supervisor of its own process, in a group of its own, as a shell starts one. */
function supervise(options: Omit<SuperviseRanksOptions, 'command'> & { command: readonly string[] }) {
  const child = spawn(process.execPath, [programs.pathOf('supervising'), JSON.stringify(options)], { detached: true });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (text += part));
  const ended = new Promise<{ end: RanksEnd; logged: string[]; text: string }>((done) => {
    child.on('close', () => {
      const of = (word: string) =>
        text.split('\n').flatMap((line) => (line.startsWith(word) ? [line.slice(word.length)] : []));
      done({ end: JSON.parse(of('end: ')[0] ?? 'null'), logged: of('log: '), text });
    });
  });
  return { child, ended };
}

const train = (folder: string, way: string) => [process.execPath, programs.pathOf('training'), folder, way];
const linesOf = (folder: string) => readFileSync(join(folder, 'log'), 'utf8').trimEnd().split('\n').sort();

function isAlive(pid: string): boolean {
  try {
    return process.kill(Number(pid), 0);
  } catch {
    return false;
  }
}

describe.each(testedMpis)('$title', (mpi) => {
  const launcher = mpi.command[0];

  mpi.test('all ranks start again after one was killed, and go on from the checkpoint', async () => {
    const folder = place();
    const { end, logged } = await supervise({ launcher, ranks: 2, maxRestarts: 1, command: train(folder, 'lost') })
      .ended;
    expect(logged).toEqual(['rank 1 was killed by SIGKILL; starting all ranks again (restart 1 of 1)']);
    expect(end).toEqual({ code: 0, restarts: 1 });
    expect(linesOf(folder)).toEqual([
      expect.stringMatching(/^rank 0 from [56] to 10, told 0$/),
      expect.stringMatching(/^rank 1 from [56] to 10, told 0$/),
    ]);
  });

  mpi.test('Ctrl-C reaches each rank once; they save and leave, and nothing starts again', async () => {
    const folder = place();
    const { child, ended } = supervise({ launcher, ranks: 2, maxRestarts: 3, command: train(folder, 'endless') });
    while (!existsSync(join(folder, 'step'))) await new Promise((done) => setTimeout(done, 50));
    // As a terminal does: to the whole group.
    process.kill(-(child.pid ?? 0), 'SIGINT');
    const { end, logged } = await ended;
    expect({ end, logged }).toEqual({ end: { code: 0, restarts: 0 }, logged: [] });
    expect(linesOf(folder)).toEqual([
      expect.stringMatching(/^rank 0 from 0 to \d+, told 1$/),
      expect.stringMatching(/^rank 1 from 0 to \d+, told 1$/),
    ]);
  });

  mpi.test('what is not worth a restart, and what happened too often', async () => {
    const shell = (script: string) => ['/bin/sh', '-c', script];
    const mistaken = await supervise({ launcher, ranks: 2, maxRestarts: 3, command: shell('exit 2') }).ended;
    expect(mistaken.end).toEqual({ code: 2, restarts: 0, reason: expect.stringMatching(/^rank [01] ended with 2$/) });
    const rank = `\${OMPI_COMM_WORLD_RANK:-$PMI_RANK}`;
    const dying = shell(`if [ ${rank} = 1 ]; then kill -9 $$; fi; exec sleep 60`);
    const { end, logged } = await supervise({ launcher, ranks: 2, maxRestarts: 1, command: dying }).ended;
    expect(end).toEqual({ code: 137, restarts: 1, reason: 'rank 1 was killed by SIGKILL' });
    expect(logged).toEqual([
      'rank 1 was killed by SIGKILL; starting all ranks again (restart 1 of 1)',
      'rank 1 was killed by SIGKILL; all 1 restarts are used',
    ]);
  });

  mpi.test('a second signal ends the ranks, whatever they do', async () => {
    const folder = place();
    const script = `trap '' INT TERM HUP; touch ${folder}/$$; exec sleep 61.25`;
    const { child, ended } = supervise({ launcher, ranks: 2, command: ['/bin/sh', '-c', script] });
    while (readdirSync(folder).length < 2) await new Promise((done) => setTimeout(done, 50));
    process.kill(child.pid ?? 0, 'SIGTERM');
    await new Promise((done) => setTimeout(done, 1200));
    expect(readdirSync(folder).map(isAlive)).toEqual([true, true]);
    process.kill(child.pid ?? 0, 'SIGTERM');
    await ended;
    // They are gone once their parent has looked.
    while (readdirSync(folder).some(isAlive)) await new Promise((done) => setTimeout(done, 50));
  });
});

test.each([
  [{ ranks: 0, command: ['true'] }, 'DISTRIBUTED_OPTIONS: ranks is 0'],
  [{ ranks: 1, command: ['true'], maxRestarts: -1 }, 'DISTRIBUTED_OPTIONS: maxRestarts is -1'],
  [{ ranks: 1, command: ['true'], launcher: 'true' }, 'DISTRIBUTED_NO_MPI: true is no launcher of MPICH or Open MPI'],
  [
    { ranks: 1, command: ['true'], environment: { PATH: '/nowhere' } },
    'DISTRIBUTED_NO_MPI: no launcher of ranks: looked for mpirun, mpiexec,',
  ],
])('%j: %s', async (options, message) => {
  await expect(superviseRanks(options)).rejects.toThrow(message);
});
