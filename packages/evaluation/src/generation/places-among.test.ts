/** @file Places by distances that are known: counted by hand, and against `retrieval`. */
import { type RgbImage, squaredError } from '@transfusion/data';
import { retrieval } from '../retrieval.js';
import { normalFeatures } from '../testing/draw-features.js';
import { placesByFeatures, placesByPixels } from './picture-places.js';
import { placesAmong } from './places-among.js';

test('the first right one counts, ties count against, and each query looks among its own', () => {
  const candidates = [0, 1, 2, 3, 4, 5, 6];
  const distances = [
    // Own 2; group 2 and 5.
    [3, 1, 4, 1, 5, 2, 9],
    // Among 0 to 3 alone; own 3, group 3 and 0; candidate 1 is as near as it.
    [7, 2, 5, 2, 0, 0, 0],
  ];
  const { own, group } = placesAmong({
    queries: 2,
    among: (query) => (query === 0 ? candidates : candidates.slice(0, 4)),
    distance: (query, candidate) => distances[query][candidate],
    right: {
      own: (query, candidate) => candidate === [2, 3][query],
      group: (query, candidate) =>
        [
          [2, 5],
          [3, 0],
        ][query].includes(candidate),
    },
  });
  // Nearer than 4: 3, 1, 1, 2. As near as 2: 2.
  expect([...own.ranks]).toEqual([5, 2]);
  expect(own).toMatchObject({ top1: 0, top5: 1, medianRank: 3.5 });
  expect(own.chance.top1).toBeCloseTo((1 / 7 + 1 / 4) / 2, 12);
  expect(own.chance.top5).toBeCloseTo((5 / 7 + 1) / 2, 12);
  expect(own.chance.medianRank).toBeCloseTo((4 + 2.5) / 2, 12);
  // 5 is right at 2, and two wrong ones are at 1; of 3, 1 is as near.
  expect([...group.ranks]).toEqual([3, 2]);
  expect(group.chance.top1).toBeCloseTo((2 / 7 + 2 / 4) / 2, 12);
  // None of 5 of 7: both right ones are the 2 left, of 21 pairs.
  expect(group.chance.top5).toBeCloseTo((20 / 21 + 1) / 2, 12);
  // The first of 2 among 7, of 2 among 4.
  expect(group.chance.medianRank).toBeCloseTo((8 / 3 + 5 / 3) / 2, 12);
});

test('a distance may end above the limit, which is that of the right ones', () => {
  const limits = new Map<number, number>();
  const { own } = placesAmong({
    queries: 1,
    among: () => [0, 1, 2],
    distance(_, candidate, limit) {
      limits.set(candidate, limit);
      return [5, 3, 100][candidate];
    },
    right: { own: (_, candidate) => candidate === 0 },
  });
  expect([...own.ranks]).toEqual([2]);
  expect(limits).toEqual(
    new Map([
      [0, Number.POSITIVE_INFINITY],
      [1, 5],
      [2, 5],
    ]),
  );
});

test('by features it is `retrieval` where all look among all for one of their own', () => {
  const queries = normalFeatures({ count: 20, dimensions: 6, seed: 1 });
  const candidates = normalFeatures({ count: 30, dimensions: 6, seed: 2, shift: 0.3 });
  const all = Array.from({ length: 30 }, (_, i) => i);
  const own = (query: number) => (query * 7) % 30;
  const { own: places } = placesByFeatures({
    ...{ queries, candidates, among: () => all },
    right: { own: (query, candidate) => candidate === own(query) },
  });
  const expected = retrieval({ queries, candidates, own: Array.from({ length: 20 }, (_, i) => own(i)) });
  expect([...places.ranks]).toEqual([...expected.ranks]);
  expect(places).toMatchObject({ top1: expected.top1, top5: expected.top5, medianRank: expected.medianRank });
  expect(places.chance.top5).toBeCloseTo(expected.chance.top5, 12);
});

const picture = (...grays: number[]) => ({
  ...{ width: grays.length, height: 1 },
  pixels: Uint8Array.from(grays.flatMap((gray) => [gray, gray, gray])),
});
const drawn = (...values: number[]): RgbImage => ({
  ...{ width: values.length, height: 1 },
  data: Float32Array.from(values.flatMap((value) => [value, value, value])),
});

test('by pixels: squared errors, another size infinitely far', () => {
  // -1 and 1 of -1 and 0.6: 3 (0 + 0.16).
  expect(squaredError(drawn(-1, 1), picture(0, 204))).toBeCloseTo(0.48, 6);
  expect(squaredError(drawn(-1), picture(0, 204))).toBe(Number.POSITIVE_INFINITY);
  const { own } = placesByPixels({
    queries: [drawn(-1, 1), drawn(1, 1)],
    candidates: [picture(0, 255), picture(0, 204), picture(255, 255), picture(255)],
    among: () => [0, 1, 2, 3],
    right: { own: (query, candidate) => candidate === [1, 3][query] },
  });
  expect([...own.ranks]).toEqual([2, 4]);
});

test('an error past the limit is past it, however early it ends', () => {
  const grays = Array.from({ length: 1000 }, () => 255);
  const image = { ...drawn(...grays.map(() => -1)) };
  const whole = squaredError(image, picture(...grays));
  expect(whole).toBeCloseTo(12_000, 6);
  const early = squaredError(image, picture(...grays), 100);
  expect(early).toBeGreaterThan(100);
  expect(early).toBeLessThan(whole);
});

test('a query without a right candidate and a distance that is NaN are refused', () => {
  const given = { queries: 1, among: () => [0, 1], distance: () => 1 };
  expect(() => placesAmong({ ...given, right: { own: () => false } })).toThrow(
    'EVALUATION_MISMATCH: placesAmong: none of the 2 candidates of query 0 is right (own)',
  );
  expect(() => placesAmong({ ...given, distance: () => Number.NaN, right: { own: () => true } })).toThrow(
    'EVALUATION_VALUE: placesAmong: the distance from query 0 to candidate 0 is NaN',
  );
  expect(() => placesAmong({ ...given, queries: 0, right: { own: () => true } })).toThrow('EVALUATION_VALUE');
});
