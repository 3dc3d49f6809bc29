import { libraryNames } from './find-library';

test("the launcher's own library comes first, and where it is known no other MPI's is taken", () => {
  const openMpi = libraryNames('openmpi', {});
  expect(openMpi[0]).toBe('libmpi.so.40');
  expect(openMpi).not.toContain('libmpich.so.12');
  const mpich = libraryNames('mpich', {});
  expect(mpich.slice(0, 2)).toEqual(['libmpich.so.12', 'libmpi.so.12']);
  expect(mpich).not.toContain('libmpi.so.40');
  for (const names of [openMpi, mpich]) expect(names).toContain('libmpi_abi.so.1');
});

test('srun: PMIx is of Open MPI, else MPICH comes first; both are tried', () => {
  expect(libraryNames('slurm', { PMIX_RANK: '0' })[0]).toBe('libmpi.so.40');
  const other = libraryNames('slurm', {});
  expect(other[0]).toBe('libmpich.so.12');
  expect(other).toContain('libmpi.so.40');
});

test('TRANSFUSION_MPI_LIBRARY is taken alone', () => {
  expect(libraryNames('mpich', { TRANSFUSION_MPI_LIBRARY: '/opt/mpi/libmpi.so' })).toEqual(['/opt/mpi/libmpi.so']);
});
