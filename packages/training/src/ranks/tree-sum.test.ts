import * as fc from 'fast-check';
import { keptSums, sumActions, treeSum } from './tree-sum.js';

/** Does what `sumActions` says, in f32. */
function sumByActions(parts: readonly Float32Array[]): number[] {
  const kept: number[][] = [];
  const zero = () => (parts[0].length === 0 ? [] : [...parts[0]].map(() => 0));
  let [sum, next, most] = [zero(), 0, 0];
  for (const action of sumActions(parts.length)) {
    if (action.kind === 'accumulate') {
      const part = parts[next++];
      sum = sum.map((value, i) => Math.fround(value + part[i]));
    } else if (action.kind === 'keep') {
      expect(kept[action.level]).toBeUndefined();
      kept[action.level] = sum;
      sum = zero();
    } else {
      const other = kept[action.level];
      delete kept[action.level];
      sum = sum.map((value, i) => Math.fround(value + other[i]));
    }
    most = Math.max(most, Object.keys(kept).length);
  }
  expect([next, most]).toEqual([parts.length, keptSums(parts.length)]);
  return sum;
}

test('four are added in pairs, and three or two from left to right', () => {
  expect(sumActions(2)).toEqual([{ kind: 'accumulate' }, { kind: 'accumulate' }]);
  expect(sumActions(4).map(({ kind }) => kind)).toEqual([
    'accumulate',
    'accumulate',
    'keep',
    'accumulate',
    'accumulate',
    'add',
  ]);
  expect(keptSums(3)).toBe(0);
  expect(keptSums(12)).toBe(2);
  // (1 + 2^-24) + (2^-24 + 2^-24): from left to right every small one would be lost.
  const small = 2 ** -24;
  expect(treeSum([1, small, small, small].map((value) => Float32Array.of(value)))[0]).toBe(1 + 2 ** -23);
  expect(treeSum([1, small, small].map((value) => Float32Array.of(value)))[0]).toBe(1);
});

test('however ranks share them, a power of two of ranks gets the bits of one process', () => {
  const values = fc.float({ noNaN: true, min: Math.fround(-1e6), max: Math.fround(1e6) });
  fc.assert(
    fc.property(
      fc.constantFrom(1, 2, 3, 4, 6, 8, 12, 16, 40),
      fc.array(values, { minLength: 40, maxLength: 40 }),
      (count, numbers) => {
        const parts = numbers.slice(0, count).map((value) => Float32Array.of(value, value / 3));
        const whole = sumByActions(parts);
        for (let ranks = 1; count % ranks === 0; ranks *= 2) {
          const each = count / ranks;
          const sums = Array.from({ length: ranks }, (_, rank) =>
            Float32Array.from(sumByActions(parts.slice(rank * each, (rank + 1) * each))),
          );
          expect([...treeSum(sums)]).toEqual(whole);
        }
      },
    ),
  );
});
