import { imageBatches } from './batches.js';

const images = Array.from({ length: 5 }, (_, i) => ({
  caption: undefined,
  name: `${i}`,
  group: `${i}`,
  ...{ width: 2, height: 2 },
  // The left pixel says which picture it is.
  pixels: Uint8Array.from({ length: 2 * 2 * 3 }, (_, at) => (at % 6 < 3 ? i * 51 : 0)),
}));
const left = (batch: Float32Array, i: number) => Math.round((batch[i * 12] + 1) * 2.5);
const right = (batch: Float32Array, i: number) => Math.round((batch[i * 12 + 3] + 1) * 2.5);

test('every epoch visits every picture once, each in another order; a step depends on the seed and the step only', () => {
  const batch = imageBatches({ images, batchSize: 2, seed: 3, flip: false });
  const seen = Array.from({ length: 10 }, (_, step) => [left(batch(step), 0), left(batch(step), 1)]).flat();
  for (let epoch = 0; epoch < 4; epoch++) {
    expect(seen.slice(epoch * 5, epoch * 5 + 5).sort()).toEqual([0, 1, 2, 3, 4]);
  }
  expect(seen.slice(0, 5)).not.toEqual(seen.slice(5, 10));
  const again = imageBatches({ images, batchSize: 2, seed: 3, flip: false });
  expect(again(7)).toEqual(batch(7));
  const other = imageBatches({ images, batchSize: 5, seed: 4, flip: false });
  expect(other(0)).not.toEqual(imageBatches({ images, batchSize: 5, seed: 3, flip: false })(0));
});

test('half of the pictures are mirrored', () => {
  const batch = imageBatches({ images: images.slice(4), batchSize: 100, seed: 1, flip: true })(0);
  const mirrored = Array.from({ length: 100 }, (_, i) => right(batch, i) === 4 && left(batch, i) === 0);
  expect(mirrored.filter(Boolean).length).toBeGreaterThan(30);
  expect(mirrored.filter(Boolean).length).toBeLessThan(70);
});

test('no picture, no run', () => {
  expect(() => imageBatches({ images: [], batchSize: 1, seed: 0, flip: false })).toThrow(/DATA_NO_EXAMPLES/);
});
