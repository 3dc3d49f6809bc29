/** @file Runs a program of ./programs as ranks, under the launchers that are installed. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buildSync } from 'esbuild';

export interface TestedMpi {
  name: string;
  library: string;
  /** What starts ranks here. */
  command: readonly string[];
}

const KNOWN: readonly TestedMpi[] = [
  { name: 'MPICH', library: 'libmpich.so.12', command: ['mpirun.mpich'] },
  {
    name: 'Open MPI',
    library: 'libmpi.so.40',
    command: ['mpirun.openmpi', '--allow-run-as-root', '--oversubscribe', '--bind-to', 'none'],
  },
];

/** Each MPI as a line of `describe.each`, with what skips its tests where it is not installed. */
export const testedMpis = KNOWN.map((mpi) => {
  const isThere = spawnSync(mpi.command[0], ['--version']).status === 0;
  return { ...mpi, title: isThere ? mpi.name : `${mpi.name} (not installed)`, test: isThere ? test : test.skip };
});

/** The programs, with the worker beside them, as JavaScript below the repository, from where they find koffi. */
export function buildPrograms(...names: string[]): { pathOf(name: string): string; remove(): void } {
  const cache = resolve('.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'distributed-'));
  const source = join(__dirname, '..');
  buildSync({
    entryPoints: [...names.map((name) => join(__dirname, 'programs', `${name}.ts`)), join(source, 'mpi-worker.ts')],
    outdir: folder,
    entryNames: '[name]',
    ...{ bundle: true, platform: 'node', format: 'esm', external: ['koffi'] },
    conditions: ['@transfusion/source'],
    outExtension: { '.js': '.js' },
    banner: { js: '' },
    logLevel: 'warning',
  });
  return {
    pathOf: (name) => join(folder, `${name}.js`),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export interface RanksRun {
  child: ChildProcess;
  /** What ranks and launcher have said so far. */
  text(): string;
  ended: Promise<{ code: number | null; text: string; seconds: number }>;
}

export function startRanks(
  mpi: TestedMpi,
  count: number,
  command: readonly string[],
  environment: Record<string, string> = {},
): RanksRun {
  const [launcher, ...options] = mpi.command;
  const child = spawn(launcher, [...options, '-n', String(count), process.execPath, ...command], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const started = performance.now();
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (text += part));
  const ended = new Promise<{ code: number | null; text: string; seconds: number }>((done) => {
    child.on('close', (code) => done({ code, text, seconds: (performance.now() - started) / 1000 }));
  });
  return { child, text: () => text, ended };
}
