import { flipHorizontally, flipVertically } from './flip.js';

test('swaps left and right, and not channels or rows', () => {
  const data = Uint8Array.from({ length: 2 * 3 * 2 }, (_, i) => i);
  expect([...flipHorizontally({ data, width: 3, channels: 2 })]).toEqual([4, 5, 2, 3, 0, 1, 10, 11, 8, 9, 6, 7]);
  expect(data[0]).toBe(0);
  const twice = flipHorizontally({
    data: flipHorizontally({ data, width: 3, channels: 2 }),
    width: 3,
    channels: 2,
  });
  expect(twice).toEqual(data);
});

test('swaps top and bottom, and not channels or columns', () => {
  const data = Uint8Array.from({ length: 3 * 2 * 2 }, (_, i) => i);
  expect([...flipVertically({ data, width: 2, channels: 2 })]).toEqual([8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3]);
  expect(data[0]).toBe(0);
});
