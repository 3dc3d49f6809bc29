import fc from 'fast-check';
import type { Kernel } from '../program/kernels/index.js';
import { InPlaceConflict, schedule, type Unit, type Version } from './schedule.js';

/** Units over named versions; `old>new` means that `new` overwrites `old` in the same memory. */
function build(
  kernels: Record<string, { reads?: string[]; writes: string[] }>,
  overwrites: Record<string, string> = {},
) {
  const versions = new Map<string, Version>();
  const version = (name: string): Version => {
    let found = versions.get(name);
    if (!found) {
      found = { buffer: versions.size, writers: [], readers: [] };
      versions.set(name, found);
      if (overwrites[name]) Object.assign(found, { overwrites: version(overwrites[name]), state: versions.size });
    }
    return found;
  };
  const names = new Map<Unit, string>();
  const units = Object.entries(kernels).map(([name, { reads = [], writes }]) => {
    const unit: Unit = { kernel: { kind: 'random' } as Kernel, reads: reads.map(version), writes: writes.map(version) };
    for (const each of unit.reads) each.readers.push(unit);
    for (const each of unit.writes) each.writers.push(unit);
    names.set(unit, name);
    return unit;
  });
  return { order: () => schedule(units).map((unit) => names.get(unit)), units };
}

describe('schedule', () => {
  test('keeps an order that is already right', () => {
    const { order } = build({ a: { writes: ['x'] }, b: { reads: ['x'], writes: ['y'] }, c: { writes: ['z'] } });
    expect(order()).toEqual(['a', 'b', 'c']);
  });

  test('puts writers before readers', () => {
    const { order } = build({
      last: { reads: ['x', 'y'], writes: ['z'] },
      y: { reads: ['x'], writes: ['y'] },
      x: { writes: ['x'] },
    });
    expect(order()).toEqual(['x', 'y', 'last']);
  });

  test('updates state after everybody who reads the old contents', () => {
    const { order } = build(
      {
        update: { reads: ['old'], writes: ['new'] },
        reader: { reads: ['old'], writes: ['y'] },
        after: { reads: ['new'], writes: ['z'] },
      },
      { new: 'old' },
    );
    expect(order()).toEqual(['reader', 'update', 'after']);
  });

  test('updates state as soon as it can, where that is all that a kernel does', () => {
    const { order } = build(
      {
        first: { writes: ['x'] },
        second: { reads: ['x'], writes: ['y'] },
        both: { reads: ['x', 'old b'], writes: ['new b', 'z'] },
        update: { reads: ['x', 'old a'], writes: ['new a'] },
      },
      { 'new a': 'old a', 'new b': 'old b' },
    );
    expect(order()).toEqual(['first', 'update', 'second', 'both']);
  });

  test('says which states cannot be updated in place', () => {
    // b reads the old contents, but needs what is computed from the new ones.
    const conflict = build(
      {
        update: { reads: ['old'], writes: ['new'] },
        a: { reads: ['new'], writes: ['x'] },
        b: { reads: ['old', 'x'], writes: ['y'] },
      },
      { new: 'old' },
    );
    expect(conflict.order).toThrow(InPlaceConflict);
    try {
      conflict.order();
    } catch (error) {
      expect((error as InPlaceConflict).states.length).toBe(1);
    }
  });

  test('random kernels: every operand is written before and overwritten after', () => {
    const plan = fc.record({
      reads: fc.array(fc.array(fc.nat({ max: 11 }), { maxLength: 3 }), { minLength: 12, maxLength: 12 }),
      order: fc.shuffledSubarray(
        Array.from({ length: 12 }, (_, i) => i),
        { minLength: 12, maxLength: 12 },
      ),
      updated: fc.nat({ max: 11 }),
    });
    fc.assert(
      fc.property(plan, ({ reads, order, updated }) => {
        const kernels: Record<string, { reads: string[]; writes: string[] }> = {};
        for (const i of order) {
          const earlier = reads[i].filter((j) => j < i).map((j) => `v${j}`);
          kernels[`k${i}`] = { reads: i === updated ? [...earlier, 'state'] : earlier, writes: [`v${i}`] };
        }
        const { units } = build(kernels, { [`v${updated}`]: 'state' });
        const position = new Map(schedule(units).map((unit, at) => [unit, at]));
        expect(position.size).toBe(units.length);
        for (const unit of units) {
          for (const version of unit.reads) {
            for (const writer of version.writers) expect(position.get(writer)!).toBeLessThan(position.get(unit)!);
          }
          for (const { overwrites } of unit.writes) {
            for (const reader of overwrites?.readers ?? []) {
              expect(position.get(reader)!).toBeLessThanOrEqual(position.get(unit)!);
            }
          }
        }
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});
