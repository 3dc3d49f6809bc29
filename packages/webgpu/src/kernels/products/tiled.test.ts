/** @jest-environment ./test/webgpu-environment.mjs */
import type { Backend } from '@transfusion/tensor';
import { openTestBackend } from '../../testing/backend.js';
import {
  alignedEpilogue,
  gatedEpilogue,
  PRODUCT_TOLERANCE,
  productError,
  TRANSPOSES,
} from '../../testing/product-check.js';
import { TILE_SHAPES } from './candidates.js';
import { type TiledOptions, tiledFits, tiledVariant } from './tiled.js';

/** Every product is computed by this variant. */
let variant: TiledOptions;
let backend: Backend;
beforeAll(async () => {
  backend = await openTestBackend({ candidates: () => [tiledVariant(variant)] });
});
afterAll(() => backend.dispose());

const plain = TILE_SHAPES.map((shape): TiledOptions => ({ shape }));
// Lanes of four columns and of two, of one vector and of several.
const otherwise = [TILE_SHAPES[0], TILE_SHAPES[1], TILE_SHAPES[4]].flatMap((shape): TiledOptions[] => [
  { shape, depthReads: 'blocks' },
  { shape, staging: 'ahead' },
  { shape, staging: 'ahead, two buffers', band: 2, depthReads: 'blocks' },
]);
const SIZES = [
  [2, 67, 41, 19],
  [1, 132, 36, 20],
  [1, 128, 128, 48],
] as const;

const cases = [...plain, ...otherwise].flatMap((option) => {
  // Each operand lies both ways in two of them.
  const transposes = plain.slice(0, 2).includes(option) ? TRANSPOSES : TRANSPOSES.slice(1, 3);
  const sizes = plain.includes(option) ? SIZES : SIZES.slice(1);
  return transposes.map((transpose) => [tiledVariant(option).name, transpose[0], option, transpose, sizes] as const);
});

test.each(cases)('%s, %s', async (_, __, option, [, transposeA, transposeB], sizes) => {
  variant = option;
  for (const [batch, m, n, k] of sizes) {
    const product = { batch, m, n, k, transposeA, transposeB };
    expect(await productError(backend, product)).toBeLessThan(PRODUCT_TOLERANCE);
  }
});

test.each([...plain, ...otherwise].map((option) => [tiledVariant(option).name, option] as const))(
  '%s, with an epilogue',
  async (_, option) => {
    variant = option;
    const product = { batch: 2, m: 35, n: 23, k: 28, transposeA: false, transposeB: true };
    expect(await productError(backend, product, gatedEpilogue(product))).toBeLessThan(PRODUCT_TOLERANCE);
    const inQuads = { ...product, n: 24 };
    expect(await productError(backend, inQuads, alignedEpilogue(inQuads))).toBeLessThan(PRODUCT_TOLERANCE);
  },
);

describe.each(['unsplit', 'split', 'split twice'] as const)('k that is %s', (policy) => {
  test.each(TILE_SHAPES.slice(0, 2).map((shape) => [tiledVariant({ shape }).name, shape]))('%s', async (_, shape) => {
    variant = { shape, policy };
    const product = { batch: 2, m: 9, n: 5, k: 1030, transposeA: false, transposeB: false };
    expect(await productError(backend, product, gatedEpilogue(product))).toBeLessThan(PRODUCT_TOLERANCE);
  });
});

test('bands of tiles, the last of which is lower, cover the output', async () => {
  const [, shape] = TILE_SHAPES;
  variant = { shape, band: 3 };
  const product = { batch: 2, m: 32 * 5 + 1, n: 32 * 3 + 4, k: 20, transposeA: false, transposeB: false };
  expect(await productError(backend, product, alignedEpilogue(product))).toBeLessThan(PRODUCT_TOLERANCE);
});

test('a shape is offered where a workgroup has the invocations and the memory for it', () => {
  const device = { ...{ maxInvocationsPerWorkgroup: 256, maxWorkgroupStorageBytes: 16384 } };
  const fitting = (limits: Partial<typeof device>) =>
    TILE_SHAPES.filter((shape) => tiledFits(shape, { ...device, ...limits } as Parameters<typeof tiledFits>[1])).map(
      ({ tileRows, tileColumns, tileDepth }) => [tileRows, tileColumns, tileDepth].join('x'),
    );
  const common = ['64x64x16', '32x32x16', '64x32x16', '128x64x16', '128x128x8'];
  expect(fitting({})).toEqual([...common, '256x128x8']);
  expect(fitting({ maxWorkgroupStorageBytes: 32768 })).toEqual([...common, '128x128x16', '256x128x8']);
  expect(fitting({ maxInvocationsPerWorkgroup: 128 })).toEqual(['32x32x16', '64x32x16']);
  expect(fitting({ maxWorkgroupStorageBytes: 8192 })).toEqual(['32x32x16', '64x32x16']);
});
