import { imageOf, splitDataset } from './index.js';

test('imageOf gives an image in [-1, 1], of any aspect ratio', () => {
  const pixels = Uint8Array.from([0, 51, 255, ...new Array(15).fill(255)]);
  const image = imageOf({ width: 3, height: 2, pixels });
  expect([image.width, image.height]).toEqual([3, 2]);
  expect([...image.data]).toEqual([-1, Math.fround(-0.6), 1, ...new Array(15).fill(1)]);
  // As many pixels, and another shape.
  const row = imageOf({ width: 6, height: 1, pixels });
  expect([row.width, row.height, row.data.length]).toEqual([6, 1, 18]);
});

describe('splitDataset', () => {
  /** Three pictures of each of 20 groups, spread out. */
  const images = Array.from({ length: 60 }, (_, i) => ({ group: `g${i % 20}`, number: i }));
  const split = (seed?: number, fraction = 0.1) => splitDataset({ images, fraction, seed });
  const groupsOf = (part: { group: string }[]) => new Set(part.map(({ group }) => group));

  test('holds out whole groups, as large a share as asked for', () => {
    for (let seed = 0; seed < 20; seed++) {
      const { train, heldOut } = split(seed);
      expect(heldOut).toHaveLength(6);
      expect(groupsOf(heldOut).size).toBe(2);
      expect([...groupsOf(train)].filter((group) => groupsOf(heldOut).has(group))).toEqual([]);
      expect([...train, ...heldOut].map(({ number }) => number).sort((a, b) => a - b)).toEqual(
        images.map(({ number }) => number),
      );
    }
  });

  test('both parts are in the order of the dataset', () => {
    for (const part of Object.values(split(3, 0.5))) {
      const numbers = part.map(({ number }) => number);
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
      expect(numbers).toHaveLength(30);
    }
  });

  test('the seed decides, and nothing else', () => {
    expect(split(1)).toEqual(split(1));
    expect(split()).toEqual(split(0));
    expect(split(1).heldOut).not.toEqual(split(2).heldOut);
    // Which pictures a group has does not matter: one emoji is held out in all sets of styles alike.
    const few = splitDataset({ images: images.slice(0, 20), fraction: 0.1, seed: 1 });
    expect(groupsOf(few.heldOut)).toEqual(groupsOf(split(1).heldOut));
  });

  describe('by name', () => {
    const named = (some: typeof images, seed = 0) => splitDataset({ images: some, fraction: 0.25, seed, by: 'name' });
    const held = (some: typeof images) => [...groupsOf(named(some).heldOut)].sort();

    test('an added or a removed group moves no more than one other', () => {
      const before = held(images);
      expect(before).toHaveLength(5);
      for (let i = 0; i < 40; i++) {
        const after = held([...images, { group: `new ${i}`, number: 60 + i }]);
        expect(after).toHaveLength(5);
        expect(after.filter((group) => !before.includes(group)).length).toBeLessThanOrEqual(1);
        expect(after.filter((group) => before.includes(group) || group.startsWith('new'))).toEqual(after);
      }
      for (const { group } of images.slice(0, 20)) {
        const after = held(images.filter((image) => image.group !== group));
        expect(after.filter((each) => !before.includes(each)).length).toBeLessThanOrEqual(1);
      }
    });

    test('the order of the list does not matter, the seed does', () => {
      expect(held([...images].reverse())).toEqual(held(images));
      expect(groupsOf(named(images, 1).heldOut)).not.toEqual(groupsOf(named(images).heldOut));
    });

    test('names that are alike are held out as often as others', () => {
      const many = Array.from({ length: 4000 }, (_, i) => ({ group: `p${i}.png`, number: i }));
      const { heldOut } = named(many);
      expect(heldOut).toHaveLength(1000);
      const perTenth = Array.from(
        { length: 10 },
        (_, tenth) => heldOut.filter(({ number }) => Math.floor(number / 400) === tenth).length,
      );
      // 100 each, with a deviation of 8.7.
      for (const count of perTenth) expect(Math.abs(count - 100)).toBeLessThan(40);
    });
  });

  test('nothing is held out of a single group, or where nothing is asked for', () => {
    expect(split(1, 0)).toEqual({ train: images, heldOut: [] });
    const alike = images.map((image) => ({ ...image, group: 'one' }));
    expect(splitDataset({ images: alike, fraction: 0.5, seed: 1 })).toEqual({ train: alike, heldOut: [] });
    expect(() => split(1, 1)).toThrow(/DATA_HELD_OUT_FRACTION/);
  });

  test("a dataset's own split is kept, whatever the fraction", () => {
    const own = images.map((image) => ({
      ...image,
      split: image.number < 50 ? ('train' as const) : ('heldOut' as const),
    }));
    for (const fraction of [0, 0.5]) {
      expect(splitDataset({ images: own, fraction, seed: 1 })).toEqual({
        train: own.slice(0, 50),
        heldOut: own.slice(50),
      });
    }
  });
});
