/** @jest-environment ./test/webgpu-environment.mjs */
import type { Backend, Expression, MatmulKernel } from '@transfusion/tensor';
import { openTestBackend } from '../../testing/backend.js';
import { KernelRun } from '../../testing/kernel-run.js';
import { largestError, normals } from '../../testing/numbers.js';
import {
  type EpilogueCase,
  gatedEpilogue,
  PRODUCT_TOLERANCE,
  type ProductCase,
  productError,
  productReference,
  TRANSPOSES,
} from '../../testing/product-check.js';

async function check(backend: Backend, product: ProductCase, epilogue?: EpilogueCase): Promise<void> {
  expect(await productError(backend, product, epilogue)).toBeLessThan(PRODUCT_TOLERANCE);
}

/** On a software adapter the first covers the register variant, the second the tiled, split and skinny ones. */
describe.each([
  ['the adapter', {}],
  ['a GPU', { asHardware: true }],
])('variants for %s', (_, options) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await openTestBackend(options);
  });
  afterAll(() => backend.dispose());

  describe.each(TRANSPOSES)('%s', (_, transposeA, transposeB) => {
    test.each([
      ['one number', 1, 1, 1, 1],
      ['a row by a matrix', 1, 1, 70, 33],
      ['a row by a matrix of whole vectors', 1, 3, 64, 128],
      ['a matrix by a column', 1, 37, 1, 65],
      ['edges everywhere', 2, 67, 41, 19],
      ['whole vectors, no whole tiles', 2, 36, 68, 20],
      ['whole tiles', 1, 64, 128, 32],
      ['k of 1', 1, 30, 9, 1],
      ['few outputs of a long k', 1, 10, 6, 1100],
    ])('%s', async (_, batch, m, n, k) => {
      await check(backend, { batch, m, n, k, transposeA, transposeB });
    });

    test('one matrix for the whole batch', async () => {
      const product = { batch: 3, m: 9, n: 8, k: 12, transposeA, transposeB };
      await check(backend, { ...product, sharedB: true });
      await check(backend, { ...product, sharedA: true });
    });
  });

  describe('epilogue', () => {
    test.each([
      ['a small product', 2, 21, 35, 17],
      ['a row', 1, 2, 35, 40],
      ['a split k', 1, 9, 5, 1030],
    ])('bias, activation and a transposed residual on %s', async (_, batch, m, n, k) => {
      const product = { batch, m, n, k, transposeA: false, transposeB: false };
      await check(backend, product, gatedEpilogue(product));
    });

    test('with more views than a dispatch of the product can bind', async () => {
      const count = backend.limits.maxExpressionInputs;
      const [m, n] = [5, 12];
      const views = Array.from({ length: count }, (_, i) => ({
        data: normals(m * n, 10 + i),
        view: { offset: 0, strides: [0, n, 1] },
      }));
      const sum: Expression = [{ op: 'load', input: 0 }];
      for (let i = 1; i <= count; i++) {
        sum.push({ op: 'load', input: i }, { op: 'add', a: sum.length - 1, b: sum.length });
      }
      const add = (...values: number[]) => values.reduce((total, each) => total + each);
      await check(
        backend,
        { batch: 1, m, n, k: 6, transposeA: false, transposeB: false },
        { views, expression: sum, value: add },
      );
    });
  });

  test('a matrix by its own transpose: one buffer as both operands', async () => {
    const [m, k] = [20, 24];
    const data = normals(m * k, 5);
    const run = new KernelRun(backend);
    const buffer = run.input(data);
    const kernel: MatmulKernel = {
      kind: 'matmul',
      batch: 1,
      m,
      n: m,
      k,
      a: { buffer, transpose: false, batchStride: 0 },
      b: { buffer, transpose: true, batchStride: 0 },
      output: run.output(m * m),
    };
    const [actual] = await run.run([kernel], [kernel.output]);
    const product = { batch: 1, m, n: m, k, transposeA: false, transposeB: true };
    expect(largestError(actual, productReference(product, data, data))).toBeLessThan(1e-5);
  });
});
