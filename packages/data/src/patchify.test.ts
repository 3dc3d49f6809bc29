import fc from 'fast-check';
import { patchify, unpatchify } from './index.js';

describe('patchify', () => {
  test('patches left to right, top to bottom; values by row, column, channel', () => {
    // 2 x 4 pixels of 2 channels; the value says where it is: row, column, channel.
    const at = (y: number, x: number) => [100 * y + 10 * x, 100 * y + 10 * x + 1];
    const image = Float32Array.from([0, 1].flatMap((y) => [0, 1, 2, 3].flatMap((x) => at(y, x))));
    const patches = patchify({ image, height: 2, width: 4, channels: 2, patchSize: 2 });
    expect([...patches]).toEqual([
      ...[...at(0, 0), ...at(0, 1), ...at(1, 0), ...at(1, 1)],
      ...[...at(0, 2), ...at(0, 3), ...at(1, 2), ...at(1, 3)],
    ]);
    const tall = patchify({ image, height: 4, width: 2, channels: 2, patchSize: 1 });
    expect(tall).toEqual(image);
  });

  test('unpatchify is its inverse', () => {
    const sizes = fc.record({
      patchSize: fc.integer({ min: 1, max: 4 }),
      rows: fc.integer({ min: 1, max: 4 }),
      columns: fc.integer({ min: 1, max: 4 }),
      channels: fc.integer({ min: 1, max: 4 }),
    });
    fc.assert(
      fc.property(sizes, ({ patchSize, rows, columns, channels }) => {
        const grid = { height: rows * patchSize, width: columns * patchSize, channels, patchSize };
        const image = Float32Array.from({ length: grid.height * grid.width * channels }, (_, i) => i);
        const patches = patchify({ ...grid, image });
        expect(unpatchify({ ...grid, patches })).toEqual(image);
        // Every value by the definition.
        const width = patchSize * patchSize * channels;
        for (let i = 0; i < patches.length; i++) {
          const [patch, value] = [Math.floor(i / width), i % width];
          const y = Math.floor(patch / columns) * patchSize + Math.floor(value / (patchSize * channels));
          const x = (patch % columns) * patchSize + (Math.floor(value / channels) % patchSize);
          expect(patches[i]).toBe((y * grid.width + x) * channels + (value % channels));
        }
      }),
      { numRuns: 50, seed: 1 },
    );
  });

  test('sizes that do not fit are refused', () => {
    const image = new Float32Array(12);
    const grid = { height: 2, width: 2, channels: 3, patchSize: 2 };
    expect(() => patchify({ ...grid, image, height: 3 })).toThrow(/DATA_PATCH_SIZE.*3 x 2.*2 x 2/);
    expect(() => patchify({ ...grid, image: new Float32Array(11) })).toThrow(
      /DATA_IMAGE_SHAPE.*Float32Array of 11 values, expected a Float32Array of \[2, 2, 3\] = 12/,
    );
    expect(() => unpatchify({ ...grid, patches: new Float32Array(11) })).toThrow(/DATA_IMAGE_SHAPE/);
    const plain = Array.from(image) as unknown as Float32Array;
    expect(() => patchify({ ...grid, image: plain })).toThrow(/DATA_IMAGE_SHAPE: patchify: got Array of 12 values/);
  });
});
