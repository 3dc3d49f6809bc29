import fc from 'fast-check';
import { type Elements, partOffsets } from './communicator';
import { createLocalGroup } from './local-group';

const sum = (lengths: readonly number[]) => lengths.reduce((total, each) => total + each, 0);
const value = (from: number, to: number, i: number) => (from * 67 + to * 29 + i * 7) % 251;

test('where parts start', () => {
  expect(partOffsets([3, 0, 2])).toEqual([0, 3, 3, 5]);
  expect(partOffsets([])).toEqual([0]);
});

test('all to all, all gather and broadcast of random lengths: each rank gets what each gave it', async () => {
  const matrices = fc.integer({ min: 1, max: 4 }).chain((size) =>
    fc.array(fc.array(fc.nat({ max: 5 }), { minLength: size, maxLength: size }), {
      minLength: size,
      maxLength: size,
    }),
  );
  await fc.assert(
    fc.asyncProperty(matrices, async (matrix) => {
      const size = matrix.length;
      const group = createLocalGroup(size);
      await Promise.all(
        group.map(async (ranks, rank) => {
          expect(ranks).toMatchObject({ rank, size, localRank: rank, localSize: size });
          const sends = matrix[rank];
          const receives = matrix.map((row) => row[rank]);
          const array = Float32Array.from(
            sends.flatMap((length, to) => Array.from({ length }, (_, i) => value(rank, to, i))),
          );
          const received = new Float32Array(sum(receives));
          await ranks.allToAll({ array, lengths: sends }, { array: received, lengths: receives });
          expect([...received]).toEqual(
            receives.flatMap((length, from) => Array.from({ length }, (_, i) => value(from, rank, i))),
          );

          const lengths = matrix.map((row) => row[0]);
          const gathered = new Uint16Array(sum(lengths));
          const start = partOffsets(lengths)[rank];
          // Where it is gathered anyway, on every other rank.
          const own = rank % 2 === 0 ? new Uint16Array(lengths[rank]) : gathered.subarray(start, start + lengths[rank]);
          own.forEach((_, i) => (own[i] = value(rank, 9, i)));
          await ranks.allGather(own, { array: gathered, lengths });
          expect([...gathered]).toEqual(
            lengths.flatMap((length, from) => Array.from({ length }, (_, i) => value(from, 9, i))),
          );

          const values = new Int32Array(3).fill(rank === size - 1 ? 7 : rank);
          await ranks.broadcast(values, size - 1);
          expect([...values]).toEqual([7, 7, 7]);
          await ranks.barrier();
          await ranks.close();
        }),
      );
    }),
    { numRuns: 50 },
  );
});

test('nobody passes a barrier before all are there', async () => {
  const [first, second] = createLocalGroup(2);
  let isThere = false;
  const passing = first.barrier().then(() => isThere);
  await new Promise((done) => setTimeout(done, 5));
  isThere = true;
  await second.barrier();
  expect(await passing).toBe(true);
});

test.each<[string, () => Promise<void>[], string]>([
  [
    'lengths that disagree',
    () => group2.map((ranks, rank) => ranks.allGather(new Float32Array(1 + rank), floats([1, 1]))),
    'DISTRIBUTED_SHAPE: rank 1 gives 2 elements, 1 are expected of it',
  ],
  [
    'calls that disagree',
    () => group2.map((ranks, rank) => (rank === 0 ? ranks.barrier() : ranks.broadcast(new Float32Array(1), 0))),
    'DISTRIBUTED_SHAPE: rank 1 calls broadcast where others call barrier',
  ],
])('%s are an error of all', async (_, calls, message) => {
  for (const each of await Promise.allSettled(calls())) {
    expect(each).toMatchObject({ status: 'rejected', reason: { message: expect.stringContaining(message) } });
  }
});

test.each<[string, () => Promise<void>, string]>([
  ['parts', () => alone.allToAll(floats([1]), floats([1, 1])), 'what is received has 2 parts, and there are 1 ranks'],
  [
    'a sum',
    () => alone.allToAll({ array: new Float32Array(3), lengths: [2] }, floats([2])),
    'has 3 elements, its parts have 2',
  ],
  [
    'a length',
    () => alone.allGather(new Float32Array(1), { array: new Float32Array(1), lengths: [0.5] }),
    'has 0.5 elements',
  ],
  [
    'a rank',
    () => alone.broadcast(new Float32Array(1), 1),
    'the one who gives is rank 1, and there are 1 ranks, from 0',
  ],
])('%s that cannot be is refused at once', async (_, call, message) => {
  await expect(call()).rejects.toThrow(message);
});

test('a group of no ranks', () => {
  expect(() => createLocalGroup(0)).toThrow('DISTRIBUTED_SHAPE: a group of 0 ranks');
});

let group2 = createLocalGroup(2);
let [alone] = createLocalGroup(1);
beforeEach(() => {
  group2 = createLocalGroup(2);
  [alone] = createLocalGroup(1);
});

function floats(lengths: readonly number[]): { array: Float32Array; lengths: readonly number[] } {
  return { array: new Float32Array(sum(lengths)) satisfies Elements, lengths };
}
