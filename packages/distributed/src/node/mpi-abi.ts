/**
 * @file The numbers behind the names of MPI's C interface. The standard fixed them in version 5 only; before, each family of libraries
 * had its own: MPICH's are integers (also of Intel MPI, MVAPICH and Cray), Open MPI's are addresses of objects in the library.
 */
import { TransfusionError } from '@transfusion/core';
import type { LibraryHandle } from 'koffi';

export type Handle = number | bigint;

export interface MpiAbi {
  /** C type of a handle. */
  handle: 'int' | 'void *';
  world: Handle;
  errorsReturn: Handle;
  /** A type of so many bytes: elements are moved, never looked at. */
  types: Readonly<Record<1 | 2 | 4 | 8, Handle>>;
  statusIgnore: bigint;
  inPlace: bigint;
}

/** From mpi.h of MPICH 3 and 4, fixed by the MPICH ABI Compatibility Initiative. */
const MPICH: MpiAbi = {
  handle: 'int',
  world: 0x44000000,
  errorsReturn: 0x54000001,
  types: { 1: 0x4c00010d, 2: 0x4c000204, 4: 0x4c000405, 8: 0x4c00080b },
  statusIgnore: 1n,
  inPlace: 0xffff_ffff_ffff_ffffn,
};

/** MPI 5.0, section 20 and appendix A. */
const STANDARD: MpiAbi = {
  handle: 'void *',
  world: 0x101n,
  errorsReturn: 0x142n,
  types: { 1: 0x247n, 2: 0x20cn, 4: 0x209n, 8: 0x214n },
  statusIgnore: 0n,
  inPlace: 1n,
};

/**
 * Which of them a library has.
 * @param version as the library tells it
 * @throws TransfusionError DISTRIBUTED_MPI
 */
export function abiOf(library: LibraryHandle, path: string, version: string): MpiAbi {
  if (/libmpi_abi/.test(path)) return STANDARD;
  const symbol = (name: string) => library.symbol(name) as bigint;
  try {
    return {
      handle: 'void *',
      world: symbol('ompi_mpi_comm_world'),
      errorsReturn: symbol('ompi_mpi_errors_return'),
      types: {
        1: symbol('ompi_mpi_byte'),
        2: symbol('ompi_mpi_unsigned_short'),
        4: symbol('ompi_mpi_int'),
        8: symbol('ompi_mpi_double'),
      },
      statusIgnore: 0n,
      inPlace: 1n,
    };
  } catch {
    if (/MPICH|MVAPICH|Intel/i.test(version)) return MPICH;
  }
  throw new TransfusionError({
    code: 'DISTRIBUTED_MPI',
    message: `${path} is of no family that is known: ${version}`,
    fix: 'name a library of MPICH, Open MPI, or libmpi_abi.so by TRANSFUSION_MPI_LIBRARY',
  });
}
