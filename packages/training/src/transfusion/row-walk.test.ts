import { epochWalk } from '@transfusion/data';
import fc from 'fast-check';
import { rowWalk } from './row-walk.js';

test('rows take what comes next until it finds no room', () => {
  const lengths = [4, 3, 5, 1];
  const startOf = rowWalk({ lengths, at: (position) => position % 4, sequenceLength: 8 });
  // 4 3 | 5 1 | 4 3 | 5 1
  expect([0, 1, 2, 3, 4].map(startOf)).toEqual([0, 2, 4, 6, 8]);
});

test('every row is full, none too full, and any row may be asked for first', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 20, max: 60 }),
      fc.nat({ max: 1000 }),
      (lengths, sequenceLength, seed) => {
        const walk = () => ({ lengths, at: epochWalk({ seed, examples: lengths.length }), sequenceLength });
        const [startOf, late, { at }] = [rowWalk(walk()), rowWalk(walk()), walk()];
        expect(late(40)).toBe(startOf(40));
        const used = (from: number, to: number) => {
          return Array.from({ length: to - from }, (_, i) => lengths[at(from + i)]).reduce((a, b) => a + b, 0);
        };
        for (let row = 0; row < 40; row++) {
          const [from, to] = [startOf(row), startOf(row + 1)];
          expect(used(from, to)).toBeLessThanOrEqual(sequenceLength);
          expect(used(from, to + 1)).toBeGreaterThan(sequenceLength);
        }
      },
    ),
  );
});
