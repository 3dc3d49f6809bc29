/** @file Training by several processes: the communicator on MPI, and the supervisor that starts ranks again. */
export { type MpiCommunicator, type MpiOptions, openMpi } from './open-mpi.js';
export { type RanksEnd, type SuperviseRanksOptions, superviseRanks } from './supervise-ranks.js';
