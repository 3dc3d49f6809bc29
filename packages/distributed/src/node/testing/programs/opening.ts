/** @file One rank of a test that tells what it is part of. */
import { openMpi } from '../../open-mpi.js';

const { rank, size, localSize, close } = await openMpi();
console.log(JSON.stringify({ rank, size, localSize }));
await close();
