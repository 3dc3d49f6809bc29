import { drawTimesteps, type PackedImage } from './index.js';

type Drawn = Pick<PackedImage, 'group' | 'slot' | 'role' | 'noiseCap'>;

const groups = [{ slots: 120 }, { slots: 80 }];
/** Every slot of both groups; every other one is capped. */
const images: Drawn[] = groups.flatMap(({ slots }, group) =>
  Array.from({ length: slots }, (_, slot) => ({ group, slot, role: 'target', noiseCap: slot % 2 ? undefined : 500 })),
);

test('uniform over the schedule, or below the cap of an image, in every group', () => {
  const drawn = Array.from({ length: 200 }, (_, step) => drawTimesteps({ seed: 1, step, groups, images }));
  for (const group of [0, 1]) {
    expect(new Set(drawn.map((batch) => batch[group].length))).toEqual(new Set([groups[group].slots]));
    for (const [odd, limit] of [
      [0, 500],
      [1, 1000],
    ]) {
      const values = drawn.flatMap((batch) => [...batch[group].filter((_, slot) => slot % 2 === odd)]);
      expect(Math.min(...values)).toBe(0);
      expect(Math.max(...values)).toBe(limit - 1);
      const counts = new Array<number>(10).fill(0);
      for (const value of values) counts[Math.floor((value * 10) / limit)]++;
      const expected = values.length / 10;
      let chiSquared = 0;
      for (const count of counts) chiSquared += (count - expected) ** 2 / expected;
      // 9 degrees of freedom: 27.9 is the 0.999 quantile.
      expect(chiSquared).toBeLessThan(27.9);
    }
  }
});

test('a slot does not depend on the other images, unused slots hold 0, steps and seeds differ', () => {
  const all = drawTimesteps({ seed: 1, step: 3, groups, images });
  const [first, second] = drawTimesteps({ seed: 1, step: 3, groups, images: images.slice(10, 12) });
  expect([...first.subarray(10, 12)]).toEqual([...all[0].subarray(10, 12)]);
  expect(first.filter((value, slot) => value !== 0 && slot !== 10 && slot !== 11)).toHaveLength(0);
  expect([...second]).toEqual(new Array(80).fill(0));
  expect(drawTimesteps({ seed: 1, step: 3, groups, images: [...images].reverse() })).toEqual(all);
  expect(drawTimesteps({ seed: 1, step: 4, groups, images })).not.toEqual(all);
  expect(drawTimesteps({ seed: 2, step: 3, groups, images })).not.toEqual(all);
});

test('a group does not depend on those after it, and has draws of its own', () => {
  const both = drawTimesteps({ seed: 1, step: 3, groups, images });
  const alone = drawTimesteps({
    seed: 1,
    step: 3,
    groups: groups.slice(0, 1),
    images: images.filter(({ group }) => group === 0),
  });
  expect(alone).toEqual(both.slice(0, 1));
  expect([...both[1]]).not.toEqual([...both[0].subarray(0, 80)]);
  expect(drawTimesteps({ seed: 1, step: 3, groups: [...groups, { slots: 3 }], images }).slice(0, 2)).toEqual(both);
  expect(drawTimesteps({ seed: 1, step: 3, groups: [], images: [] })).toEqual([]);
});

test('an image that is only looked at is clean, and changes no other', () => {
  const all = drawTimesteps({ seed: 1, step: 3, groups, images });
  const some = images.map((image, i): Drawn => ({ ...image, role: i % 3 ? 'target' : 'context' }));
  const drawn = drawTimesteps({ seed: 1, step: 3, groups, images: some });
  some.forEach(({ group, slot, role }) => {
    expect(drawn[group][slot]).toBe(role === 'context' ? 0 : all[group][slot]);
  });
});

test('each image has a cap of its own, which must make sense', () => {
  const capped = (noiseCap?: number, timesteps?: number) =>
    drawTimesteps({ seed: 1, step: 0, groups, images: [{ group: 1, slot: 7, role: 'target', noiseCap }], timesteps });
  const [whole, half, least] = [undefined, 500, 1].map((cap) => capped(cap)[1][7]);
  // The same draw, scaled.
  expect(half).toBe(Math.floor(whole / 2));
  expect(least).toBe(0);
  expect(capped(1000)).toEqual(capped());
  expect(capped(10, 10)).toEqual(capped(undefined, 10));
  expect(() => capped(500, 100)).toThrow(/DATA_TIMESTEP_CAP.*500.*100/);
  for (const cap of [0, -1, Number.NaN, 1001]) expect(() => capped(cap)).toThrow(/DATA_TIMESTEP_CAP/);
});

test('a distribution of its own: the same draws, through its quantiles, each below the cap of its image', () => {
  const asked: number[][] = [];
  const quantile = (uniform: number, limit: number) => {
    asked.push([uniform, limit]);
    return Math.floor(Math.sqrt(uniform) * limit);
  };
  const all = drawTimesteps({ seed: 1, step: 3, groups, images });
  const drawn = drawTimesteps({ seed: 1, step: 3, groups, images, quantile });
  expect(asked.map(([, limit]) => limit)).toEqual(images.map(({ noiseCap = 1000 }) => noiseCap));
  images.forEach(({ group, slot }, i) => {
    const [uniform, limit] = asked[i];
    expect(all[group][slot]).toBe(Math.floor(uniform * limit));
    expect(drawn[group][slot]).toBe(Math.floor(Math.sqrt(uniform) * limit));
  });
});
