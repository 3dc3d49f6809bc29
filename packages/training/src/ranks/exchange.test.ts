/** @file Tensors on their way between ranks, in slices that cut them. */
import { createLocalGroup } from '@transfusion/distributed';
import { type Backend, createVariable, type Variable } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { beginSums, bucketsOf, gatherOwned, shareOwned } from './exchange.js';
import { assignOwners } from './owners.js';
import type { RankGroup } from './rank-group.js';

const sizes = new Map(Object.entries({ embedding: 700, 'blocks.0.up': 130, 'blocks.0.norm': 7, head: 101 }));
const RANKS = 3;
/** A rank's slice of a bucket has 20 elements. */
const BUCKET = 60;

let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
});
afterAll(() => backend.dispose());

const value = (path: string, i: number, rank: number) => Math.sin(1 + i + 31 * rank + path.length);

/** What each rank has, different on each. */
function ranks() {
  const owners = assignOwners(sizes, RANKS);
  return createLocalGroup(RANKS).map((communicator) => {
    const group: RankGroup = { communicator, owners, sizes };
    const variables = new Map<string, Variable>();
    for (const [path, size] of sizes) {
      const data = Float32Array.from({ length: size }, (_, i) => value(path, i, communicator.rank));
      variables.set(path, createVariable(backend, { shape: [size], data }));
    }
    return { group, variables, buckets: bucketsOf(group, BUCKET) };
  });
}

test('buckets have every element once, of each owner as much as of any other until it has no more', () => {
  const [{ group, buckets }] = ranks();
  const seen = new Map([...sizes].map(([path, size]) => [path, new Array<number>(size).fill(0)]));
  for (const bucket of buckets) {
    for (const [owner, slices] of bucket.entries()) {
      const total = slices.reduce((sum, { begin, end }) => sum + end - begin, 0);
      expect(total).toBeLessThanOrEqual(20);
      for (const { path, begin, end } of slices) {
        expect(group.owners.get(path)).toBe(owner);
        for (let i = begin; i < end; i++) seen.get(path)![i]++;
      }
    }
  }
  expect([...seen.values()].flat().every((count) => count === 1)).toBe(true);
  // The embedding is a rank's alone, and is cut.
  expect(buckets.length).toBe(700 / 20);
});

test('owners get the sums of all, everyone the parameters of the owners, and the first one what all own', async () => {
  const all = ranks();
  await Promise.all(
    all.map(async ({ group, buckets, variables }, rank) => {
      const sums = beginSums(group, buckets, variables);
      // Ranks have their first buckets when they have them.
      for (let i = 0; i < 5 * rank; i++) sums.ready();
      await sums.finish();
    }),
  );
  const sum = (path: string, i: number) =>
    [0, 1, 2].map((rank) => Math.fround(value(path, i, rank))).reduce((a, b) => Math.fround(a + b));
  for (const { group, variables } of all) {
    for (const [path, size] of sizes) {
      const isOwn = group.owners.get(path) === group.communicator.rank;
      const expected = Float32Array.from({ length: size }, (_, i) =>
        isOwn ? sum(path, i) : value(path, i, group.communicator.rank),
      );
      expect([path, await variables.get(path)!.read()]).toEqual([path, expected]);
    }
  }
  const gathered = await Promise.all(
    all.map(({ group, buckets, variables }) => gatherOwned(group, buckets, variables)),
  );
  await Promise.all(all.map(({ group, buckets, variables }) => shareOwned(group, buckets, variables)));
  for (const [path, size] of sizes) {
    const expected = Float32Array.from({ length: size }, (_, i) => sum(path, i));
    for (const { variables } of all) expect([path, await variables.get(path)!.read()]).toEqual([path, expected]);
    expect([path, gathered[0].get(path)]).toEqual([path, expected]);
  }
  expect(gathered.slice(1).map(({ size }) => size)).toEqual([0, 0]);
});

test('as halves, sums keep three digits of the largest of a tensor, and infinities', async () => {
  const all = ranks();
  const [large] = all[2].variables.values();
  const size = large.buffer.elements;
  large.write(Float32Array.from({ length: size }, (_, i) => (i === 3 ? Number.POSITIVE_INFINITY : 1e-30 * i)));
  await Promise.all(
    all.map(({ group, buckets, variables }) => beginSums(group, buckets, variables, { wire: 'f16' }).finish()),
  );
  for (const { group, variables } of all) {
    for (const path of sizes.keys()) {
      if (group.owners.get(path) !== group.communicator.rank) continue;
      const values = await variables.get(path)!.read();
      for (const [i, actual] of values.entries()) {
        const parts = [0, 1, 2].map((rank) => value(path, i, rank));
        if (path === 'embedding') parts[2] = i === 3 ? Number.POSITIVE_INFINITY : 1e-30 * i;
        const expected = parts.reduce((a, b) => a + b);
        if (Number.isFinite(expected)) expect(Math.abs(actual - expected)).toBeLessThan(2 ** -10);
        else expect(actual).toBe(expected);
      }
    }
  }
});
