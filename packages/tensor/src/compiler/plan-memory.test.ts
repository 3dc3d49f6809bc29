import fc from 'fast-check';
import { OutOfMemoryError } from '../errors.js';
import { type Lifetime, planMemory } from './plan-memory.js';

const limits = { alignment: 64, maxArenaBytes: 4096, maxBufferBytes: 4096, maxExpressionInputs: 16, f16: false };

const lifetime: fc.Arbitrary<Lifetime> = fc
  .tuple(fc.integer({ min: 1, max: 1500 }), fc.nat({ max: 30 }), fc.nat({ max: 12 }))
  .map(([elements, first, length]) => ({ bytes: 4 * Math.ceil(elements / 4), first, last: first + length, name: 'x' }));

describe('planMemory', () => {
  test('no two buffers that live at the same time overlap; all are aligned and inside their arenas', () => {
    fc.assert(
      fc.property(fc.array(lifetime, { maxLength: 40 }), (lifetimes) => {
        const { placements, arenaBytes } = planMemory(lifetimes, limits);
        expect(placements.length).toBe(lifetimes.length);
        for (const bytes of arenaBytes) expect(bytes).toBeLessThanOrEqual(limits.maxArenaBytes);
        placements.forEach(({ arena, byteOffset }, i) => {
          expect(byteOffset % limits.alignment).toBe(0);
          expect(byteOffset + lifetimes[i].bytes).toBeLessThanOrEqual(arenaBytes[arena]);
        });
        for (let i = 0; i < lifetimes.length; i++) {
          for (let j = 0; j < i; j++) {
            const together = lifetimes[i].first <= lifetimes[j].last && lifetimes[j].first <= lifetimes[i].last;
            if (!together || placements[i].arena !== placements[j].arena) continue;
            const disjoint =
              placements[i].byteOffset + lifetimes[i].bytes <= placements[j].byteOffset ||
              placements[j].byteOffset + lifetimes[j].bytes <= placements[i].byteOffset;
            expect(disjoint).toBe(true);
          }
        }
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  test('never needs more than twice what lives at one moment, in chains of equal buffers', () => {
    const chain = Array.from({ length: 50 }, (_, i) => ({ bytes: 640, first: i, last: i + 1, name: 'x' }));
    expect(planMemory(chain, limits)).toMatchObject({ arenaBytes: [1280], liveBytes: 1280 });
  });

  test('opens another arena where one would grow too large', () => {
    const together = Array.from({ length: 5 }, () => ({ bytes: 2000, first: 0, last: 3, name: 'x' }));
    const { arenaBytes, placements } = planMemory(together, limits);
    expect(arenaBytes.length).toBe(3);
    expect(new Set(placements.map(({ arena, byteOffset }) => `${arena} ${byteOffset}`)).size).toBe(5);
  });

  test('refuses what can never fit, naming it, the sizes and what to do', () => {
    const tooLarge = [{ bytes: 5000, first: 0, last: 0, name: 'logits' }];
    const attempt = () => planMemory(tooLarge, limits);
    expect(attempt).toThrow(OutOfMemoryError);
    expect(attempt).toThrow(
      /OUT_OF_MEMORY: 'logits' needs 4.9 KiB; a buffer of this backend has at most 4.0 KiB[\s\S]*fix: .*rows/,
    );
    expect(() => planMemory(tooLarge, { ...limits, maxArenaBytes: 8192 })).toThrow('at most 4.0 KiB');
  });

  test('plans nothing for nothing', () => {
    expect(planMemory([], limits)).toEqual({ placements: [], arenaBytes: [], liveBytes: 0 });
  });
});
