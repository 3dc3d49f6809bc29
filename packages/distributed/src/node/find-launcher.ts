/** @file Which program starts ranks here, and with which options. */
import { spawnSync } from 'node:child_process';
import { basename } from 'node:path';
import { TransfusionError } from '@transfusion/core';
import { INSTALLING } from './installing.js';

export interface RankLauncher {
  program: string;
  kind: 'mpich' | 'openmpi';
}

/** `mpirun` and `mpiexec` are whichever MPI the machine prefers. */
const PROGRAMS = ['mpirun', 'mpiexec', 'mpirun.mpich', 'mpirun.openmpi', 'mpiexec.hydra'];

/**
 * @param program one, or the first of those that there are
 * @throws TransfusionError DISTRIBUTED_NO_MPI
 */
export function findLauncher(program: string | undefined, environment: NodeJS.ProcessEnv): RankLauncher {
  const programs = program === undefined ? PROGRAMS : [program];
  for (const each of programs) {
    const { stdout, stderr, error } = spawnSync(each, ['--version'], { env: environment, encoding: 'utf8' });
    if (error !== undefined) continue;
    const text = `${stdout}${stderr}`;
    if (/Open MPI|OpenRTE|PRRTE/i.test(text)) return { program: each, kind: 'openmpi' };
    if (/HYDRA|MPICH|Intel\(R\) MPI/i.test(text)) return { program: each, kind: 'mpich' };
  }
  throw new TransfusionError({
    code: 'DISTRIBUTED_NO_MPI',
    message:
      program === undefined
        ? `no launcher of ranks: looked for ${PROGRAMS.join(', ')}`
        : `${program} is no launcher of MPICH or Open MPI`,
    fix: `install ${INSTALLING.mpich}, or ${INSTALLING.openmpi}, or name a launcher by TRANSFUSION_MPI_LAUNCHER`,
  });
}

/** Before the command. */
export function launcherArguments({ kind }: RankLauncher, ranks: number): string[] {
  const count = ['-n', String(ranks)];
  if (kind === 'mpich') return count;
  // By itself Open MPI ties a rank to one core, with all of its threads, and refuses more ranks than cores, and root.
  const asRoot = process.getuid?.() === 0 ? ['--allow-run-as-root'] : [];
  return [...count, '--bind-to', 'none', '--oversubscribe', ...asRoot];
}

/** For people. */
export function nameOf({ program }: RankLauncher): string {
  return basename(program);
}
