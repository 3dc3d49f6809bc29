/** @file Loads the MPI library that belongs to the launcher. */
import { reason, TransfusionError } from '@transfusion/core';
import koffi, { type LibraryHandle } from 'koffi';
import type { Launcher } from '../launched-by-mpi.js';
import { INSTALLING } from './installing.js';

const OPEN_MPI = [
  'libmpi.so.40',
  '/usr/lib64/openmpi/lib/libmpi.so.40', // Fedora, without its module
  'libmpi.40.dylib',
  '/opt/homebrew/lib/libmpi.40.dylib',
];
const MPICH = [
  'libmpich.so.12', // Debian
  'libmpi.so.12', // as MPICH, Intel MPI and MVAPICH name it
  '/usr/lib64/mpich/lib/libmpi.so.12',
  'libmpi.12.dylib',
  '/opt/homebrew/lib/libmpi.12.dylib',
];
const ANY = ['libmpi_abi.so.1', 'libmpi_abi.so.0'];

/** What is tried, in this order. srun tells by its variables whether it speaks PMIx, as Open MPI does. */
export function libraryNames(
  launcher: Launcher | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): string[] {
  if (environment.TRANSFUSION_MPI_LIBRARY) return [environment.TRANSFUSION_MPI_LIBRARY];
  const isOpenMpi = launcher === 'openmpi' || (launcher === 'slurm' && environment.PMIX_RANK !== undefined);
  const own = isOpenMpi ? OPEN_MPI : MPICH;
  const other = own === MPICH ? OPEN_MPI : MPICH;
  const isSure = launcher === 'openmpi' || launcher === 'mpich';
  return [...own, ...ANY, ...(isSure ? [] : other)];
}

/** @throws TransfusionError DISTRIBUTED_NO_MPI with what to install */
export function loadLibrary(
  launcher: Launcher | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): { library: LibraryHandle; path: string } {
  const names = libraryNames(launcher, environment);
  let cause: unknown;
  for (const path of names) {
    try {
      // Open MPI's plugins look for its symbols among the global ones.
      return { library: koffi.load(path, { global: true }), path };
    } catch (error) {
      cause ??= error;
    }
  }
  const isNamed = environment.TRANSFUSION_MPI_LIBRARY !== undefined;
  throw new TransfusionError({
    code: 'DISTRIBUTED_NO_MPI',
    message: isNamed
      ? `TRANSFUSION_MPI_LIBRARY, ${names[0]}, cannot be loaded: ${reason(cause)}`
      : `no MPI library: looked for ${names.join(', ')}`,
    fix: `install ${INSTALLING[launcher === 'openmpi' ? 'openmpi' : 'mpich']}, or name the library by TRANSFUSION_MPI_LIBRARY`,
    cause,
  });
}
