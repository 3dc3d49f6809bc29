/** @file Whether this process is one of several that a launcher started, told from its environment alone: nothing is loaded. */

/** Whose library the ranks must load. `mpich`: any launcher that speaks PMI, as of MPICH and Intel MPI; `slurm`: srun with neither. */
export type Launcher = 'openmpi' | 'mpich' | 'slurm';

export interface Launched {
  rank: number;
  size: number;
  launcher: Launcher;
  /** Among the processes of this machine, where the launcher says so. */
  localRank?: number;
  localSize?: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Variables by launcher. Open MPI comes first: its `mpirun` also sets what srun sets. Of Slurm, what only srun sets is taken: the
 * script of a batch job has SLURM_PROCID and SLURM_NTASKS too, and is no rank.
 */
const VARIABLES: readonly (readonly [Launcher, rank: string, size: string, localRank: string, localSize: string])[] = [
  [
    'openmpi',
    'OMPI_COMM_WORLD_RANK',
    'OMPI_COMM_WORLD_SIZE',
    'OMPI_COMM_WORLD_LOCAL_RANK',
    'OMPI_COMM_WORLD_LOCAL_SIZE',
  ],
  ['mpich', 'PMI_RANK', 'PMI_SIZE', 'MPI_LOCALRANKID', 'MPI_LOCALNRANKS'],
  ['slurm', 'SLURM_PROCID', 'SLURM_STEP_NUM_TASKS', 'SLURM_LOCALID', ''],
];

/** What the launcher says, or undefined for a process that was started by itself. */
export function launchedByMpi(environment: Environment): Launched | undefined {
  for (const [launcher, ...names] of VARIABLES) {
    const [rank, size, localRank, localSize] = names.map((name) => count(environment[name]));
    if (rank === undefined || size === undefined || rank >= size) continue;
    const local = { ...(localRank !== undefined && { localRank }), ...(localSize !== undefined && { localSize }) };
    return { rank, size, launcher, ...local };
  }
  return undefined;
}

function count(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
