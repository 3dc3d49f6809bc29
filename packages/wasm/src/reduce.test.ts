import type { Backend, Expression, ReduceKernel, View } from '@transfusion/tensor';
import { openWasm } from './index.js';
import { evaluateAll } from './testing/reference.js';
import { largestError, noise, runKernels } from './testing/run-kernel.js';
import { product } from './views.js';

let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 2 });
});
afterAll(() => backend.dispose());

const identity: Expression = [{ op: 'load', input: 0 }];
const squareTimes: Expression = [
  { op: 'load', input: 0 },
  { op: 'load', input: 1 },
  { op: 'mul', a: 0, b: 0 },
  { op: 'mul', a: 2, b: 1 },
];

async function check(
  op: 'sum' | 'max',
  shape: number[],
  keptRank: number,
  views: View[],
  contents: Float32Array[],
  expression: Expression,
) {
  const kept = product(shape.slice(0, keptRank));
  const output = contents.length;
  const kernel: ReduceKernel = { kind: 'reduce', shape, keptRank, inputs: views, expression, op, output };
  const actual = await runKernels(backend, [kernel], [...contents, kept], output);
  const values = evaluateAll(shape, views, contents, expression);
  const length = values.length / kept;
  const scale = new Float64Array(kept);
  const expected = Float64Array.from({ length: kept }, (_, row) => {
    const run = values.subarray(row * length, (row + 1) * length);
    scale[row] = run.reduce((sum, value) => sum + Math.abs(value), 0);
    return op === 'max' ? run.reduce((a, b) => Math.max(a, b)) : run.reduce((a, b) => a + b, 0);
  });
  // Relative to the sum of magnitudes: the rounding of the terms and of a result, however long the sum.
  const relative = actual.map((value, row) => (value - expected[row]) / scale[row]);
  expect(largestError(relative, new Float32Array(kept))).toBeLessThan(op === 'max' ? 1e-7 : 3e-7);
}

const shapes: [number, number][] = [
  [1, 1],
  [1, 100_000],
  [3, 70_001],
  [17, 3],
  [5000, 3],
  [63, 65],
  [129, 100],
  [40, 5000],
  [1, 1025],
  [1000, 1],
];

describe.each(['sum', 'max'] as const)('%s', (op) => {
  test.each(shapes)('[%d kept, %d reduced], reduced inside', async (kept, reduced) => {
    const view = { buffer: 0, offset: 0, strides: [reduced, 1] };
    await check(op, [kept, reduced], 1, [view], [noise(kept * reduced)], identity);
  });

  test.each(shapes)('[%d kept, %d reduced], kept inside', async (kept, reduced) => {
    const views = [
      { buffer: 0, offset: 0, strides: [1, kept] },
      { buffer: 1, offset: 0, strides: [0, 1] },
    ];
    await check(op, [kept, reduced], 1, views, [noise(kept * reduced), noise(reduced, 2)], squareTimes);
  });

  test('everything', async () => {
    for (const length of [1, 3, 17, 1000, 300_001]) {
      const view = { buffer: 0, offset: 0, strides: [1] };
      await check(op, [length], 0, [view], [noise(length)], identity);
    }
  });

  test('nothing', async () => {
    await check(op, [63, 5], 2, [{ buffer: 0, offset: 0, strides: [5, 1] }], [noise(315)], identity);
  });

  test('kept axes around the reduced one, and a bias of the kept ones', async () => {
    const views = [
      { buffer: 0, offset: 0, strides: [9 * 33, 1, 33] },
      { buffer: 1, offset: 0, strides: [0, 1, 0] },
    ];
    await check(op, [7, 33, 9], 2, views, [noise(7 * 33 * 9), noise(33, 2)], squareTimes);
    const wide = [
      { buffer: 0, offset: 0, strides: [20 * 1500, 1, 1500] },
      { buffer: 1, offset: 0, strides: [0, 1, 0] },
    ];
    await check(op, [2, 1500, 20], 2, wide, [noise(2 * 1500 * 20), noise(1500, 2)], squareTimes);
  });

  test('kept axes in groups, and one number a group', async () => {
    for (const [groups, width, positions] of [
      [8, 2, 4099],
      [4, 3, 700],
      [5, 33, 70],
    ]) {
      const channels = groups * width;
      const views = [
        { buffer: 0, offset: 0, strides: [width, 1, positions * channels, channels] },
        { buffer: 1, offset: 0, strides: [1, 0, groups, 0] },
      ];
      const contents = [noise(2 * positions * channels), noise(2 * groups, 2)];
      await check(op, [groups, width, 2, positions], 2, views, contents, squareTimes);
    }
  });

  test('two reduced axes with a gap, kept axes in between', async () => {
    const views = [{ buffer: 0, offset: 2, strides: [10, 600, 1] }];
    await check(op, [30, 12, 7], 1, views, [noise(12 * 600)], identity);
    const inside = [{ buffer: 0, offset: 0, strides: [600, 10, 1] }];
    await check(op, [12, 30, 7], 1, inside, [noise(12 * 600)], identity);
  });
});

test('a maximum of NaN is NaN, of nothing but -inf is -inf', async () => {
  const x = noise(3000).fill(Number.NEGATIVE_INFINITY, 1000, 2000);
  x[2500] = Number.NaN;
  const kernel: ReduceKernel = {
    ...{ kind: 'reduce', shape: [3, 1000], keptRank: 1, op: 'max', output: 1, expression: identity },
    inputs: [{ buffer: 0, offset: 0, strides: [1000, 1] }],
  };
  const [finite, negative, nan] = await runKernels(backend, [kernel], [x, 3], 1);
  expect([finite, negative, nan]).toEqual([Math.max(...x.subarray(0, 1000)), Number.NEGATIVE_INFINITY, Number.NaN]);
});
