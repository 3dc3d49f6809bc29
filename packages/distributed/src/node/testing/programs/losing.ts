/** @file One rank of a test in which rank 1 is lost, in the way that the first argument names. */
import { openMpi } from '../../open-mpi.js';

const ranks = await openMpi({ timeoutSeconds: 3 });
const { rank, size } = ranks;
const ones = Array.from({ length: size }, () => 2 ** 16);
const pids = new Int32Array(size);
// On a busy machine they come one after the other.
await ranks.barrier({ patient: true });
await ranks.allGather(Int32Array.of(process.pid), { array: pids, lengths: ones.map(() => 1) });

// The first one takes longer than any may, and is waited for, since the others were told to.
if (rank === 0) await new Promise((done) => setTimeout(done, 3500));
await ranks.barrier({ patient: true });

const way = process.argv[2];
if (rank === 1 && way === 'hangs') for (;;);
if (rank === 1 && way === 'killed') process.kill(process.pid, 'SIGKILL');
// It stops wherever it is, maybe while data move.
if (rank === 0 && way === 'stopped') setTimeout(() => process.kill(pids[1], 'SIGSTOP'), 300);

const started = performance.now();
const array = new Float32Array(size * ones[0]);
const received = new Float32Array(size * ones[0]);
try {
  for (;;) await ranks.allToAll({ array, lengths: ones }, { array: received, lengths: ones });
} catch (error) {
  // The first line is the error; the process ends with the job.
  process.stdout.write(
    `rank ${rank} after ${(performance.now() - started).toFixed(0)} ms: ${(error as Error).message}\n`,
  );
  await ranks.abort(3);
}
