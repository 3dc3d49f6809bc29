import { type ImageReading, patchPlaces } from './index.js';

/** 2 x 3 patches. */
const grid = { height: 4, width: 6 };
const of = (reading: Partial<ImageReading>) => patchPlaces(grid, { patchSize: 2, ...reading });
const field = (places: ReturnType<typeof of>, name: 'position' | 'column' | 'sees') =>
  places.patches.map((patch) => patch[name]);

test('in the paper patches follow each other, and each sees all of its image', () => {
  const places = of({});
  expect(field(places, 'position')).toEqual([0, 1, 2, 3, 4, 5]);
  expect(field(places, 'sees')).toEqual([6, 6, 6, 6, 6, 6]);
  expect(places.advance).toBe(6);
  expect(of({ imageAttention: 'bidirectional', imagePositions: '1d' })).toEqual(places);
});

test('causal: each sees itself and what is before it', () => {
  expect(field(of({ imageAttention: 'causal' }), 'sees')).toEqual([1, 2, 3, 4, 5, 6]);
});

test('in two dimensions: rows and columns; what follows is beyond the longer side', () => {
  const places = of({ imagePositions: '2d' });
  expect(field(places, 'position')).toEqual([0, 0, 0, 1, 1, 1]);
  expect(field(places, 'column')).toEqual([0, 1, 2, 0, 1, 2]);
  expect(places.advance).toBe(3);
  expect(patchPlaces({ height: 10, width: 2 }, { patchSize: 2, imagePositions: '2d' }).advance).toBe(5);
});

test('an image that does not divide into patches is refused', () => {
  expect(() => patchPlaces({ height: 4, width: 5 }, { patchSize: 2 })).toThrow(/DATA_PATCH_SIZE/);
});
