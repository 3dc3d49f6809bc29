import type { Backend, Expression, MatmulKernel } from '@transfusion/tensor';
import { openWasm } from './index.js';
import { evaluateAll, multiply } from './testing/reference.js';
import { largestError, noise, runKernels } from './testing/run-kernel.js';

let backends: Backend[];
beforeAll(async () => {
  backends = [await openWasm({ threads: 2 }), await openWasm({ threads: 1, fusedMultiplyAdd: false })];
});
afterAll(() => Promise.all(backends.map((backend) => backend.dispose())));

function kernelOf(size: Partial<MatmulKernel> & { m: number; n: number; k: number }, left = false, right = false) {
  const a = { buffer: 0, transpose: left, batchStride: size.m * size.k };
  const b = { buffer: 1, transpose: right, batchStride: size.k * size.n };
  return { kind: 'matmul', batch: 1, a, b, output: 2, ...size } satisfies MatmulKernel;
}

async function check(kernel: MatmulKernel, extra: Float32Array[] = []) {
  const matrices = (stride: number) => (stride === 0 ? 1 : kernel.batch);
  const left = noise(matrices(kernel.a.batchStride) * kernel.m * kernel.k, 1);
  const right = noise(matrices(kernel.b.batchStride) * kernel.k * kernel.n, 2);
  const size = kernel.batch * kernel.m * kernel.n;
  let expected = multiply(kernel, left, right);
  if (kernel.epilogue) {
    const shape = [kernel.batch, kernel.m, kernel.n];
    const own = { buffer: 0, offset: 0, strides: [kernel.m * kernel.n, kernel.n, 1] };
    const views = [own, ...kernel.epilogue.views.map((view) => ({ ...view, buffer: view.buffer - 2 }))];
    expected = evaluateAll(shape, views, [expected, ...extra], kernel.epilogue.expression);
  }
  for (const backend of backends) {
    const actual = await runKernels(backend, [kernel], [left, right, size, ...extra], 2);
    expect(largestError(actual, expected, Math.sqrt(kernel.k))).toBeLessThan(3e-6);
  }
}

const sizes: [number, number, number][] = [
  [1, 1, 1],
  [1, 17, 33],
  [1, 513, 129],
  [3, 3, 3],
  [2, 100, 65],
  [4, 8, 16],
  [5, 9, 7],
  [16, 40, 20],
  [17, 63, 65],
  [63, 17, 129],
  [100, 129, 1],
  [129, 100, 48],
  [65, 300, 600],
  [200, 24, 513],
];

describe.each([
  ['NN', false, false],
  ['NT', false, true],
  ['TN', true, false],
  ['TT', true, true],
] as const)('%s', (_name, left, right) => {
  test.each(sizes)('[%d, %d] of depth %d', async (m, n, k) => check(kernelOf({ m, n, k }, left, right)));

  test('a small output of a large depth, cut into parts', async () => {
    await check(kernelOf({ m: 33, n: 35, k: 4001 }, left, right));
    await check(kernelOf({ m: 1, n: 1, k: 9001 }, left, right));
  });

  test('batches, with one matrix for all on either side', async () => {
    for (const [m, n, k] of [
      [3, 5, 7],
      [20, 33, 40],
      [2, 64, 65],
    ]) {
      const kernel = kernelOf({ m, n, k, batch: 5 }, left, right);
      await check(kernel);
      await check({ ...kernel, a: { ...kernel.a, batchStride: 0 } });
      await check({ ...kernel, b: { ...kernel.b, batchStride: 0 } });
      await check({ ...kernel, a: { ...kernel.a, batchStride: 0 }, b: { ...kernel.b, batchStride: 0 } });
    }
  });

  test.each([
    [1, 70, 33],
    [2, 65, 33],
    [50, 70, 33],
    [30, 600, 40],
    [20, 30, 2500],
  ])('epilogue over [%d, %d] of depth %d: silu(product + bias) * scale + residual', async (m, n, k) => {
    const expression: Expression = [
      { op: 'load', input: 0 },
      { op: 'load', input: 1 },
      { op: 'add', a: 0, b: 1 },
      { op: 'sigmoid', a: 2 },
      { op: 'mul', a: 2, b: 3 },
      { op: 'load', input: 2 },
      { op: 'mul', a: 4, b: 5 },
      { op: 'load', input: 3 },
      { op: 'add', a: 6, b: 7 },
    ];
    const views = [
      { buffer: 3, offset: 0, strides: [0, 0, 1] },
      { buffer: 4, offset: 0, strides: [m, 1, 0] },
      { buffer: 5, offset: 0, strides: [m * n, n, 1] },
    ];
    const kernel = kernelOf({ m, n, k, batch: 2, epilogue: { views, expression } }, left, right);
    await check(kernel, [noise(n, 3), noise(2 * m, 4), noise(2 * m * n, 5)]);
    const shared = { ...kernel, b: { ...kernel.b, batchStride: 0 } };
    await check(shared, [noise(n, 3), noise(2 * m, 4), noise(2 * m * n, 5)]);
  });
});

/** What is computed for one caller alone has the same bits in a batch with others. */
test.each([
  ['b as it is', false],
  ['b transposed', true],
] as const)('a row has the same bits however many rows there are: %s', async (_name, right) => {
  for (const [n, k] of [
    [37, 33],
    [64, 192],
    [192, 600],
    [3, 130],
  ]) {
    const row = noise(k, 1);
    const b = noise(k * n, 2);
    for (const backend of backends) {
      const alone = await runKernels(backend, [kernelOf({ m: 1, n, k }, false, right)], [row, b, n], 2);
      for (const m of [2, 3, 4, 5, 8, 16, 17, 32, 130]) {
        const rows = noise(m * k, 3);
        rows.set(row, (m - 1) * k);
        const all = await runKernels(backend, [kernelOf({ m, n, k }, false, right)], [rows, b, m * n], 2);
        expect(all.subarray((m - 1) * n)).toEqual(alone);
      }
    }
  }
});
