/**
 * @file One rank of a test: counts ten steps with the others, keeps the last in a file, and goes on from there. `lost`: rank 1 dies at
 * step 5, the first time. `endless`: goes on until a rank is told to stop, saves once, and leaves.
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openMpi } from '../../open-mpi.js';

const [folder, way] = process.argv.slice(2);
let told = 0;
process.on('SIGINT', () => told++);

const ranks = await openMpi({ timeoutSeconds: 60 });
const { rank, size } = ranks;
const checkpoint = join(folder, 'step');
const first = existsSync(checkpoint) ? Number(readFileSync(checkpoint, 'utf8')) : 0;
const lengths = Array.from({ length: size }, () => 1);
let step = first;
for (; way === 'endless' || step < 10; step++) {
  const all = new Int32Array(size);
  await ranks.allGather(Int32Array.of(told), { array: all, lengths });
  if (all.some((each) => each > 0)) break;
  if (way === 'lost' && rank === 1 && step === 5 && first === 0) process.kill(process.pid, 'SIGKILL');
  if (rank === 0) writeFileSync(checkpoint, String(step + 1));
  if (way === 'endless') await sleep(20);
}
// Whoever was told twice tells it here.
await sleep(300);
appendFileSync(join(folder, 'log'), `rank ${rank} from ${first} to ${step}, told ${told}\n`);
await ranks.close();
