/** @file Data-parallel training: what ranks say to each other, and ranks inside one process. */
export { type Communicator, type Elements, type Parts, partOffsets } from './communicator.js';
export { type Launched, type Launcher, launchedByMpi } from './launched-by-mpi.js';
export { createLocalGroup } from './local-group.js';
