/** @jest-environment ./test/webgpu-environment.mjs */
import type { Backend } from '@transfusion/tensor';
import { openTestBackend } from '../../testing/backend.js';
import { gatedEpilogue, PRODUCT_TOLERANCE, productError, TRANSPOSES } from '../../testing/product-check.js';
import { TILE_SHAPES } from './candidates.js';
import { type TiledOptions, tiledFits, tiledVariant } from './tiled.js';

/** Every product is computed by this variant. */
let variant: TiledOptions;
let backend: Backend;
beforeAll(async () => {
  backend = await openTestBackend({ candidates: () => [tiledVariant(variant)] });
});
afterAll(() => backend.dispose());

const options = TILE_SHAPES.flatMap((shape): TiledOptions[] => [{ shape }, { shape, depthReads: 'blocks' }]);

describe.each(options.map((each) => [tiledVariant(each).name, each] as const))('%s', (_, option) => {
  test.each(TRANSPOSES)('%s', async (_, transposeA, transposeB) => {
    variant = option;
    for (const [batch, m, n, k] of [
      [2, 67, 41, 19],
      [1, 132, 36, 20],
      [1, 128, 128, 32],
    ]) {
      const product = { batch, m, n, k, transposeA, transposeB };
      expect(await productError(backend, product)).toBeLessThan(PRODUCT_TOLERANCE);
    }
  });

  test('an epilogue', async () => {
    variant = option;
    const product = { batch: 2, m: 35, n: 23, k: 28, transposeA: false, transposeB: true };
    expect(await productError(backend, product, gatedEpilogue(product))).toBeLessThan(PRODUCT_TOLERANCE);
  });
});

describe.each(['unsplit', 'split', 'split twice'] as const)('k that is %s', (policy) => {
  test.each(TILE_SHAPES.slice(0, 2).map((shape) => [tiledVariant({ shape }).name, shape]))('%s', async (_, shape) => {
    variant = { shape, policy };
    const product = { batch: 2, m: 9, n: 5, k: 1030, transposeA: false, transposeB: false };
    expect(await productError(backend, product, gatedEpilogue(product))).toBeLessThan(PRODUCT_TOLERANCE);
  });
});

test('a shape is offered where a workgroup has the invocations and the memory for it', () => {
  const device = { ...{ maxInvocationsPerWorkgroup: 256, maxWorkgroupStorageBytes: 16384 } };
  const fitting = (limits: Partial<typeof device>) =>
    TILE_SHAPES.filter((shape) => tiledFits(shape, { ...device, ...limits } as Parameters<typeof tiledFits>[1])).map(
      ({ tileRows, tileColumns, tileDepth }) => [tileRows, tileColumns, tileDepth].join('x'),
    );
  const common = ['64x64x16', '32x32x16', '64x32x16', '128x64x16', '128x128x8'];
  expect(fitting({})).toEqual(common);
  expect(fitting({ maxWorkgroupStorageBytes: 32768 })).toEqual([...common, '128x128x16']);
  expect(fitting({ maxInvocationsPerWorkgroup: 128 })).toEqual(['32x32x16', '64x32x16']);
  expect(fitting({ maxWorkgroupStorageBytes: 8192 })).toEqual(['32x32x16', '64x32x16']);
});
