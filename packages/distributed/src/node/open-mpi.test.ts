import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { buildPrograms, startRanks, testedMpis } from './testing/ranks';

const run = promisify(execFile);
const programs = buildPrograms('collectives', 'agreeing', 'losing', 'opening');
afterAll(() => programs.remove());

/** The lines of JSON that ranks wrote, by rank. */
function told(text: string) {
  const lines = text.split('\n').filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line)).sort((a, b) => a.rank - b.rank);
}

describe.each(testedMpis)('$title', (mpi) => {
  mpi.test('collectives of random lengths, of all types, on all kinds of memory', async () => {
    const { code, text } = await startRanks(mpi, 3, [programs.pathOf('collectives')]).ended;
    expect({ code, text }).toMatchObject({ code: 0 });
    expect(told(text)).toEqual(
      [0, 1, 2].map((rank) => ({
        ...{ rank, size: 3, localRank: rank, localSize: 3, hosts: 3, checked: 60, trap: 'RuntimeError' },
        description: expect.stringMatching(new RegExp(`^${mpi.name} \\d+\\.\\d+`)),
      })),
    );
  });

  mpi.test(
    'what ranks disagree on is the same error on all, after which they go on; a late rank is awaited',
    async () => {
      const { code, text } = await startRanks(mpi, 3, [programs.pathOf('agreeing')]).ended;
      expect({ code, text }).toMatchObject({ code: 0 });
      const [zero, one, two] = told(text);
      for (const { said, gathered } of [zero, one, two]) {
        expect(said).toEqual(zero.said);
        expect(gathered).toEqual([0, 1, 2]);
      }
      const found = Object.fromEntries(
        Object.entries<string>(zero.said).map(([name, message]) => [name, message.split('\n')[0]]),
      );
      expect(found).toEqual({
        lengths: 'DISTRIBUTED_SHAPE: allToAll: rank 0 sends 2 elements to rank 1, which expects 3',
        gathered: 'DISTRIBUTED_SHAPE: allGather: rank 2 sends 4 elements to rank 0, which expects 5',
        broadcast: 'DISTRIBUTED_SHAPE: broadcast: rank 1 sends 6 elements to rank 2, which expects 7',
        calls: 'DISTRIBUTED_SHAPE: rank 2 calls broadcast where rank 0 calls barrier',
        bytes: 'DISTRIBUTED_SHAPE: broadcast: rank 1 has elements of 2 bytes, rank 0 of 4',
        roots: 'DISTRIBUTED_SHAPE: broadcast: rank 2 expects it of rank 1, rank 0 of rank 0',
        overlap: 'DISTRIBUTED_SHAPE: what is sent and what is received overlap',
        parts: 'DISTRIBUTED_SHAPE: what is received has 2 parts, and there are 3 ranks',
      });
      expect(zero.waited).toBeGreaterThan(500);
      // They had all before rank 0's main thread did anything again.
      expect(Math.max(one.at, two.at)).toBeLessThan(zero.at);
    },
  );

  mpi.test.each(['hangs', 'stopped'])('a rank that %s is named, and the job ends', async (way) => {
    const { code, text } = await startRanks(mpi, 3, [programs.pathOf('losing'), way]).ended;
    expect(code).not.toBe(0);
    const named =
      /^rank ([02]) after (\d+) ms: DISTRIBUTED_RANK_LOST: rank 1 \(\S+\) (did not come to allToAll within|came to allToAll and did not end it within) 3 s$/m;
    expect(text).toMatch(named);
    const [, , milliseconds] = named.exec(text)!;
    expect(Number(milliseconds)).toBeGreaterThanOrEqual(3000);
    expect(Number(milliseconds)).toBeLessThan(20_000);
  });

  mpi.test('a rank that is killed ends the job', async () => {
    const { code, seconds } = await startRanks(mpi, 3, [programs.pathOf('losing'), 'killed']).ended;
    expect(code).not.toBe(0);
    expect(seconds).toBeLessThan(60);
  });

  mpi.test('without a launcher, a group of one', async () => {
    const environment = { ...process.env, TRANSFUSION_MPI_LIBRARY: mpi.library };
    const { stdout } = await run(process.execPath, [programs.pathOf('opening')], { env: environment });
    expect(JSON.parse(stdout)).toMatchObject({ rank: 0, size: 1, localSize: 1 });
  });
});

const [mpich, openMpi] = testedMpis;
const both = mpich.test === test ? openMpi.test : test.skip;
both('the launcher of one MPI and the library of the other are an error that names both', async () => {
  for (const [launcher, { library, name }] of [
    [mpich, openMpi],
    [openMpi, mpich],
  ] as const) {
    const run = startRanks(launcher, 2, [programs.pathOf('opening')], { TRANSFUSION_MPI_LIBRARY: library });
    const { text } = await run.ended;
    expect(text).toContain(`DISTRIBUTED_LAUNCHER: the launcher (${launcher.name}'s`);
    expect(text).toMatch(new RegExp(`started 2 ranks, and ${name} [\\d.]+ \\(${library}\\) knows of 1`));
  }
});

/** A library with the standard's ABI, of MPICH's and a C compiler; undefined without both. */
function standardLibrary(): string | undefined {
  if (mpich.test !== test) return undefined;
  const path = join(mkdtempSync(join(tmpdir(), 'transfusion-abi-')), 'libmpi_abi.so.1');
  const source = join(__dirname, 'testing/standard-abi.c');
  const { status } = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', path, source, `-l:${mpich.library}`]);
  return status === 0 ? path : undefined;
}

const standard = standardLibrary();
afterAll(() => standard && rmSync(dirname(standard), { recursive: true, force: true }));
const standardTitle = "collectives by the handles of the standard's ABI";
(standard ? test : test.skip)(standard ? standardTitle : `${standardTitle} (no MPICH or C compiler)`, async () => {
  const variables = { TRANSFUSION_MPI_LIBRARY: standard ?? '' };
  const { code, text } = await startRanks(mpich, 2, [programs.pathOf('collectives')], variables).ended;
  expect({ code, text }).toMatchObject({ code: 0 });
  expect(told(text)).toMatchObject([0, 1].map((rank) => ({ rank, size: 2, checked: 60 })));
});

test('a library that is not there: what was looked for, and what to install', async () => {
  const attempt = (environment: Record<string, string>) =>
    run(process.execPath, [programs.pathOf('opening')], { env: { PATH: '/nowhere', ...environment } });
  const named = attempt({ TRANSFUSION_MPI_LIBRARY: 'libnone.so.1' });
  await expect(named).rejects.toThrow(
    /DISTRIBUTED_NO_MPI: TRANSFUSION_MPI_LIBRARY, libnone\.so\.1, cannot be loaded[\s\S]*fix: install MPICH \(Debian, Ubuntu: apt install mpich; Fedora: dnf install mpich; macOS: brew install mpich\)/,
  );
});

test('a time limit that is none', async () => {
  const attempt = run(process.execPath, [programs.pathOf('opening')], {
    env: { ...process.env, TRANSFUSION_MPI_TIMEOUT: 'long' },
  });
  await expect(attempt).rejects.toThrow('DISTRIBUTED_OPTIONS: TRANSFUSION_MPI_TIMEOUT is "long"');
});
