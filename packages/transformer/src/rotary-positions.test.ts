import { constant, evaluate, grad, PhiloxStream, type Tensor } from '@transfusion/tensor';
import { rotationOf } from './rotary-positions.js';
import { tinyConfig } from './testing/sequence.js';

/** Heads of 8 channels: four pairs. */
const config = tinyConfig({ channels: 16, heads: 2, imagePositions: '2d', ropeTheta: 100 });
const [HEADS, DIM] = [2, 8];
const random = new PhiloxStream(4);
const values = (x: Tensor) => evaluate([x], new Map())[0];
const integers = (data: number[]) => constant(Int32Array.from(data), [1, data.length]);
const normals = (positions: number) =>
  constant(
    Float32Array.from({ length: positions * HEADS * DIM }, () => random.normal()),
    [1, positions, HEADS, DIM],
  );

test('where row and column are one number, as at text, it is the rotation in one dimension, exactly', () => {
  const positions = integers([0, 1, 2, 7, 13, 31, -1]);
  const x = normals(7);
  const plain = values(rotationOf({ ...config, imagePositions: '1d' }, { positions })(x));
  expect(values(rotationOf(config, { positions, columns: positions })(x))).toEqual(plain);
  expect(values(rotationOf(config, { positions })(x))).toEqual(plain);
});

test('even pairs turn by the row, odd ones by the column, each at its own frequency', () => {
  const [rows, columns] = [
    [3, 3, 4],
    [3, 5, 0],
  ];
  const x = normals(3);
  const before = values(x);
  const after = values(rotationOf(config, { positions: integers(rows), columns: integers(columns) })(x));
  for (let i = 0; i < before.length; i += 2) {
    const pair = (i % DIM) / 2;
    const at = Math.floor(i / (HEADS * DIM));
    const angle = (pair % 2 === 0 ? rows : columns)[at] * 100 ** ((-2 * pair) / DIM);
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    expect(after[i]).toBeCloseTo(before[i] * cos - before[i + 1] * sin, 6);
    expect(after[i + 1]).toBeCloseTo(before[i] * sin + before[i + 1] * cos, 6);
  }
});

test('products of queries and keys know how far they are apart, by row and by column, and no more', () => {
  const [q, k] = [normals(1), normals(1)];
  const product = ([row, column]: number[], [keyRow, keyColumn]: number[]) => {
    const turn = (x: Tensor, r: number, c: number) =>
      values(rotationOf(config, { positions: integers([r]), columns: integers([c]) })(x));
    const [a, b] = [turn(q, row, column), turn(k, keyRow, keyColumn)];
    return a.slice(0, DIM).reduce((sum, value, i) => sum + value * b[i], 0);
  };
  const product0 = product([3, 5], [1, 2]);
  expect(product([13, 8], [11, 5])).toBeCloseTo(product0, 5);
  expect(Math.abs(product([3, 5], [1, 3]) - product0)).toBeGreaterThan(1e-2);
  expect(Math.abs(product([3, 5], [2, 2]) - product0)).toBeGreaterThan(1e-2);
});

test('its gradient turns back', () => {
  const x = normals(2);
  const places = { positions: integers([3, 9]), columns: integers([5, 1]) };
  const y = rotationOf(config, places)(x);
  // Of half the squared length, which no rotation changes: x itself.
  const [slope] = grad(y.mul(y).sum().mul(0.5), [x]);
  const expected = values(x);
  values(slope).forEach((value, i) => expect(value).toBeCloseTo(expected[i], 5));
});
