import { launchedByMpi } from './launched-by-mpi';

/** What launchers set, as they do: of MPICH 4.0.2 and Open MPI 4.1.4 read from them, of Slurm from its manual (srun, pmi2, pmix). */
const hydra = { PMI_FD: '6', PMI_RANK: '1', PMI_SIZE: '2', MPI_LOCALRANKID: '1', MPI_LOCALNRANKS: '2' };
const openMpi = {
  OMPI_COMM_WORLD_RANK: '5',
  OMPI_COMM_WORLD_SIZE: '8',
  OMPI_COMM_WORLD_LOCAL_RANK: '1',
  OMPI_COMM_WORLD_LOCAL_SIZE: '4',
  PMIX_RANK: '5',
};
const batch = { SLURM_JOB_ID: '7', SLURM_PROCID: '0', SLURM_LOCALID: '0', SLURM_NTASKS: '8' };
const step = { ...batch, SLURM_STEP_ID: '0', SLURM_STEP_NUM_TASKS: '8', SLURM_PROCID: '6', SLURM_LOCALID: '2' };

test.each([
  ['mpirun of MPICH', hydra, { rank: 1, size: 2, launcher: 'mpich', localRank: 1, localSize: 2 }],
  ['mpirun of Open MPI', openMpi, { rank: 5, size: 8, launcher: 'openmpi', localRank: 1, localSize: 4 }],
  [
    'mpirun of Open MPI in a Slurm job',
    { ...step, ...openMpi },
    { rank: 5, size: 8, launcher: 'openmpi', localRank: 1, localSize: 4 },
  ],
  ['srun --mpi=pmi2', { ...step, PMI_RANK: '6', PMI_SIZE: '8' }, { rank: 6, size: 8, launcher: 'mpich' }],
  ['srun --mpi=pmix', { ...step, PMIX_RANK: '6' }, { rank: 6, size: 8, launcher: 'slurm', localRank: 2 }],
  ['the script of a batch job, which is no rank', batch, undefined],
  ['nobody', { PATH: '/bin' }, undefined],
  ['half of it', { PMI_RANK: '0' }, undefined],
  ['what is no number', { PMI_RANK: 'one', PMI_SIZE: '2' }, undefined],
  ['a rank beyond the last', { PMI_RANK: '2', PMI_SIZE: '2' }, undefined],
])('started by %s', (_, environment, expected) => {
  expect(launchedByMpi(environment)).toEqual(expected);
});
