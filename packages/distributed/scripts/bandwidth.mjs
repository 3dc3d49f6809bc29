/**
 * @file How fast ranks talk, and what waiting costs: `mpirun -n 2 node packages/distributed/scripts/bandwidth.mjs [largest MiB]`.
 * Bandwidth is of what a rank sends to others, as `allToAll` does in a reduce-scatter, and of what it receives.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { openMpi } from '@transfusion/distributed/node';

const largest = Number(process.argv[2] ?? 64);
const ranks = await openMpi();
const { rank, size, description } = ranks;
const say = (text) => rank === 0 && console.log(text);
const equal = (length) => Array.from({ length: size }, () => length);

/** Milliseconds: the best and the median of several. */
async function time(count, call) {
  const times = [];
  await call();
  for (let i = 0; i < count; i++) {
    await ranks.barrier();
    const started = performance.now();
    await call();
    times.push(performance.now() - started);
  }
  times.sort((a, b) => a - b);
  return { best: times[0], median: times[count >> 1] };
}

say(`${description}, ${size} ranks, ${ranks.localSize} on this machine: best (median)`);
const one = new Float32Array(1);
const gathered = { array: new Float32Array(size), lengths: equal(1) };
const microseconds = ({ best, median }) => `${(1000 * best).toFixed(0)} us (${(1000 * median).toFixed(0)})`;
say(`barrier              ${microseconds(await time(500, () => ranks.barrier()))}`);
say(`allGather, 4 bytes   ${microseconds(await time(500, () => ranks.allGather(one, gathered)))}`);
for (let mebibytes = 1 / 16; mebibytes <= largest; mebibytes *= 4) {
  const part = Math.floor((mebibytes * 2 ** 18) / size);
  const bytes = 4 * part * size;
  const send = { array: new Float32Array(part * size), lengths: equal(part) };
  const receive = { array: new Float32Array(part * size), lengths: equal(part) };
  const own = receive.array.subarray(rank * part, (rank + 1) * part);
  const calls = {
    allToAll: [bytes - 4 * part, () => ranks.allToAll(send, receive)],
    allGather: [bytes - 4 * part, () => ranks.allGather(own, receive)],
    broadcast: [bytes, () => ranks.broadcast(receive.array, 0)],
  };
  for (const [name, [moved, call]] of Object.entries(calls)) {
    const { best, median } = await time(mebibytes < 16 ? 50 : 10, call);
    const speed = (milliseconds) => (moved / 1e6 / milliseconds).toFixed(2);
    const size = `${mebibytes} MiB`.padStart(11);
    say(`${name} ${size}  ${best.toFixed(2)} ms (${median.toFixed(2)}), ${speed(best)} GB/s (${speed(median)})`);
  }
}

// What it takes to wait for a rank that is two seconds late.
await ranks.barrier();
const before = process.cpuUsage();
if (rank === size - 1) await sleep(2000);
await ranks.barrier();
const { user, system } = process.cpuUsage(before);
say(`two seconds of waiting took ${((user + system) / 1000).toFixed(0)} ms of a core`);
await ranks.close();
