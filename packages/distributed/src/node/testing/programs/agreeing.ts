/**
 * @file One rank of a test: what ranks disagree on is the same error on all of them, after which they go on; who is late is awaited; a
 * blocked main thread keeps nobody waiting.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Parts } from '../../../communicator.js';
import { openMpi } from '../../open-mpi.js';

const ranks = await openMpi({ timeoutSeconds: 8 });
const { rank, size } = ranks;
const ones = Array.from({ length: size }, () => 1);
const floats = (lengths: readonly number[]): Parts<Float32Array> => {
  return { array: new Float32Array(lengths.reduce((sum, each) => sum + each, 0)), lengths };
};

const attempts: Record<string, () => Promise<void>> = {
  // Rank 1 expects three elements of rank 0, which has two for it.
  lengths: () => {
    const sends = rank === 0 ? [1, 2, 1] : ones;
    return ranks.allToAll(floats(sends), floats(rank === 1 ? [3, 1, 1] : ones));
  },
  gathered: () => ranks.allGather(new Float32Array(rank === 2 ? 4 : 5), floats([5, 5, 5])),
  broadcast: () => ranks.broadcast(new Float32Array(rank === 2 ? 7 : 6), 1),
  calls: () => (rank === 2 ? ranks.broadcast(new Float32Array(1), 0) : ranks.barrier()),
  bytes: () => ranks.broadcast(rank === 1 ? new Uint16Array(2) : new Float32Array(2), 0),
  roots: () => ranks.broadcast(new Float32Array(1), rank === 2 ? 1 : 0),
  overlap: () => {
    const array = new Float32Array(8);
    return ranks.allToAll(
      { array: array.subarray(0, 3), lengths: ones },
      { array: array.subarray(2, 5), lengths: ones },
    );
  },
  parts: () => ranks.allGather(new Float32Array(1), floats([1, 1])),
};

const said: Record<string, string> = {};
for (const [name, attempt] of Object.entries(attempts)) {
  said[name] = await attempt().then(
    () => 'nothing',
    (error: Error) => error.message,
  );
}

// Rank 1 is late, longer than it takes the others to ask for it.
if (rank === 1) await sleep(1500);
const started = performance.now();
const receive = floats(ones);
await ranks.allGather(Float32Array.of(rank), receive);
const waited = performance.now() - started;

// Rank 0's main thread is blocked, as by a backend that computes there; the others get their data all the same.
const parts = Array.from({ length: size }, () => 2 ** 18);
const moved = floats(parts);
const call = ranks.allToAll({ array: new Float32Array(moved.array.length).fill(rank + 1), lengths: parts }, moved);
const until = Date.now() + 1500;
while (rank === 0 && Date.now() < until);
if (rank !== 0) await call;
const at = Date.now();
await call;
if (parts.some((length, from) => moved.array[from * length] !== from + 1)) throw new Error('not what was sent');

console.log(JSON.stringify({ rank, said, gathered: [...receive.array], waited, at }));
await ranks.close();
const after = await ranks.barrier().then(
  () => 'nothing',
  (error: Error) => error.message,
);
if (!after.includes('closed')) throw new Error(after);
