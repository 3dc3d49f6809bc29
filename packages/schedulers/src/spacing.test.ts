import fc from 'fast-check';
import { shiftedTimesteps, shiftNoiseLevel, spacedTimesteps, type TimestepSpacing } from './spacing.js';
import { expectAllClose } from './testing/expect-all-close.js';

describe('spacing', () => {
  const ascending = (spacing: TimestepSpacing, steps: number) =>
    spacedTimesteps({ spacing, steps, trainTimesteps: 1000 }).reverse();

  test('250 of 1,000', () => {
    expect(ascending('leading', 250)).toEqual(Array.from({ length: 250 }, (_, k) => 4 * k));
    expect(ascending('trailing', 250)).toEqual(Array.from({ length: 250 }, (_, k) => 4 * k + 3));
    const even = ascending('even', 250);
    expect(even.slice(0, 8)).toEqual([0, 4, 8, 12, 16, 20, 24, 28]);
    expect(even.slice(-5)).toEqual([983, 987, 991, 995, 999]);
    expect(new Set(even).size).toBe(250);
  });

  test('halves round to even, as numpy does', () => {
    expect(spacedTimesteps({ spacing: 'trailing', steps: 16, trainTimesteps: 1000 }).slice(0, 4)).toEqual([
      999, 937, 874, 811,
    ]);
  });

  test('any number of steps gives distinct timesteps on the axis, noisiest first', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<TimestepSpacing>('leading', 'trailing', 'even'),
        fc.integer({ min: 1, max: 1000 }),
        (spacing, steps) => {
          const timesteps = spacedTimesteps({ spacing, steps, trainTimesteps: 1000 });
          expect(timesteps.length).toBe(steps);
          expect(timesteps.every((timestep, i) => i === 0 || timestep < timesteps[i - 1])).toBe(true);
          expect(timesteps[0]).toBeLessThan(1000);
          expect(timesteps[steps - 1]).toBeGreaterThanOrEqual(0);
        },
      ),
      { seed: 1 },
    );
  });

  test.each([0, 1001, 2.5, Number.NaN])('%p steps are refused', (steps) => {
    expect(() => spacedTimesteps({ spacing: 'even', steps, trainTimesteps: 1000 })).toThrow('SCHEDULER_STEPS_RANGE');
  });

  test('the time shift of BAGEL at 3', () => {
    const shifted = [1, 0.8, 0.6, 0.4, 0.2, 0].map((noise) => shiftNoiseLevel(noise, 3));
    expectAllClose(shifted, [1, 0.9230769231, 0.8181818182, 0.6666666667, 0.4285714286, 0], 1e-10);
  });

  test('on the flow schedule: the shifted noise levels on the training axis, any number of them', () => {
    const timesteps = shiftedTimesteps({ shift: 3, steps: 5, trainTimesteps: 1000 });
    expectAllClose(timesteps, [999, 922.0769230769, 817.1818181818, 665.6666666667, 427.5714285714], 1e-10);
    expect(shiftedTimesteps({ shift: 1, steps: 2000, trainTimesteps: 1000 })).toHaveLength(2000);
    for (const steps of [0, 2.5, Number.NaN]) {
      expect(() => shiftedTimesteps({ shift: 1, steps, trainTimesteps: 1000 })).toThrow('SCHEDULER_STEPS_RANGE');
    }
  });
});
