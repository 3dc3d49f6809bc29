import fc from 'fast-check';
import { assignOwners, ownedLoads } from './owners.js';

const sizes = (...list: number[]) => new Map(list.map((size, i) => [`t${i}`, size]));

test('the largest first, each to the rank that has least: worked by hand', () => {
  // 7 -> 0; 5 -> 1; 4 -> 1 (5 < 7); 3 -> 0 (7 < 9); 3 -> 1 (9 < 10).
  expect([...assignOwners(sizes(3, 7, 5, 3, 4), 2)]).toEqual([
    ['t0', 0],
    ['t1', 0],
    ['t2', 1],
    ['t3', 1],
    ['t4', 1],
  ]);
});

const anyTensors = fc.dictionary(fc.string(), fc.integer({ min: 0, max: 1e9 }), { maxKeys: 60 });

test('every tensor has one owner, no rank much more than the mean, and the order of the map does not matter', () => {
  fc.assert(
    fc.property(anyTensors, fc.integer({ min: 1, max: 70 }), (dictionary, ranks) => {
      const tensors = new Map(Object.entries(dictionary));
      const owners = assignOwners(tensors, ranks);
      expect([...owners.keys()]).toEqual([...tensors.keys()]);
      for (const owner of owners.values()) expect(owner >= 0 && owner < ranks && Number.isInteger(owner)).toBe(true);
      const loads = ownedLoads(tensors, owners, ranks);
      const total = [...tensors.values()].reduce((sum, size) => sum + size, 0);
      expect(loads.reduce((sum, load) => sum + load, 0)).toBe(total);
      const largest = Math.max(0, ...tensors.values());
      expect(Math.max(...loads)).toBeLessThanOrEqual(total / ranks + ((ranks - 1) / ranks) * largest + 1e-6);
      const reversed = assignOwners(new Map([...tensors].reverse()), ranks);
      expect(new Map(reversed)).toEqual(new Map(owners));
    }),
  );
});

test('what cannot be shared is refused', () => {
  expect(() => assignOwners(sizes(1), 0)).toThrow('0 ranks');
  expect(() => assignOwners(sizes(1), 1.5)).toThrow('1.5 ranks');
  expect(() => assignOwners(sizes(1, Number.NaN), 2)).toThrow('t1 has a size of NaN');
  expect(() => assignOwners(sizes(-1), 2)).toThrow('t0 has a size of -1');
});
