/** @file Which packages have MPI. */

export const INSTALLING = {
  mpich: 'MPICH (Debian, Ubuntu: apt install mpich; Fedora: dnf install mpich; macOS: brew install mpich)',
  openmpi:
    'Open MPI (Debian, Ubuntu: apt install openmpi-bin; Fedora: dnf install openmpi; macOS: brew install open-mpi)',
} as const;
