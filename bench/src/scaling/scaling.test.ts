import { formatScaling } from './format-scaling.js';
import { partShares, scalingRow } from './measure-scaling.js';
import { BASE, scalingPoints, sizeKey } from './sizes.js';

const shares = { products: 0.8, attention: 0.1, optimizer: 0.04, rest: 0.06 };
const base = { gflop: 40, seconds: 0.5, shares };

test('every axis has the base size, and varies one number', () => {
  for (const axis of ['tokens', 'width', 'depth'] as const) {
    const points = scalingPoints(false).filter((point) => point.axis === axis);
    expect(points.map(sizeKey)).toContain(sizeKey(BASE));
    const varied = (['rows', 'channels', 'layers'] as const).filter(
      (key) => new Set(points.map((point) => point[key])).size > 1,
    );
    expect(varied).toHaveLength(1);
  }
});

test('a size of half the work that takes three quarters of the time is 1.5 of the line', () => {
  const point = { ...BASE, axis: 'tokens' as const, rows: 2 };
  const row = scalingRow(point, { gflop: 20, seconds: 0.375, shares }, base);
  expect(row).toMatchObject({ tokens: 512, milliseconds: 375 });
  expect(row.ofLine).toBeCloseTo(1.5, 12);
  expect(row.gflopPerSecond).toBeCloseTo(53.33, 2);
});

test('families of kernels are summed to parts', () => {
  const rows = [
    { family: 'product', share: 0.5 },
    { family: 'product', share: 0.2 },
    { family: 'attention', share: 0.1 },
    { family: 'optimizer', share: 0.05 },
    { family: 'other', share: 0.15 },
  ] as const;
  const parts = partShares(rows);
  expect(parts.products).toBeCloseTo(0.7);
  expect(parts).toMatchObject({ attention: 0.1, optimizer: 0.05, rest: 0.15 });
});

test('the table marks what is off the line', () => {
  const rows = [
    scalingRow({ ...BASE, axis: 'tokens', rows: 2 }, { gflop: 20, seconds: 0.375, shares }, base),
    scalingRow({ ...BASE, axis: 'tokens' }, base, base),
  ];
  const lines = formatScaling(rows, 'wasm').split('\n');
  expect(lines[1]).toMatch(/^axis +tokens +width +depth +GFLOP +ms +GFLOP\/s +of the line +products/);
  expect(lines[2]).toMatch(/^tokens +512 +256 +6 +20\.0 +375 +53\.3 +1\.50 x \* +80 % +10 % +4 % +6 %$/);
  expect(lines[3]).toMatch(/^ +1024 +256 +6 +40\.0 +500 +80\.0 +1\.00 x +80 %/);
});
