/** @jest-environment ./test/webgpu-environment.mjs */
import type { Backend, Expression, MatmulKernel, View } from '@transfusion/tensor';
import { openTestBackend } from '../../testing/backend.js';
import { KernelRun } from '../../testing/kernel-run.js';
import { largestError, normals } from '../../testing/numbers.js';

interface Product {
  batch: number;
  m: number;
  n: number;
  k: number;
  transposeA: boolean;
  transposeB: boolean;
  /** One matrix for the whole batch. */
  sharedA?: boolean;
  sharedB?: boolean;
}

interface Epilogue {
  views: { data: Float32Array; view: Omit<View, 'buffer'> }[];
  expression: Expression;
  value: (product: number, ...loaded: number[]) => number;
}

const stride = (shared: boolean | undefined, size: number) => (shared ? 0 : size);

/** The definition, in f64. */
function reference(product: Product, a: Float32Array, b: Float32Array, epilogue?: Epilogue): Float64Array {
  const { batch, m, n, k, transposeA, transposeB, sharedA, sharedB } = product;
  const output = new Float64Array(batch * m * n);
  for (let position = 0; position < output.length; position++) {
    const [matrix, row, column] = [Math.floor(position / (m * n)), Math.floor(position / n) % m, position % n];
    const [aOffset, bOffset] = [matrix * stride(sharedA, m * k), matrix * stride(sharedB, k * n)];
    let sum = 0;
    for (let i = 0; i < k; i++) {
      const left = a[aOffset + (transposeA ? i * m + row : row * k + i)];
      sum += left * b[bOffset + (transposeB ? column * k + i : i * n + column)];
    }
    const loaded = (epilogue?.views ?? []).map(({ data, view }) => {
      const [s0, s1, s2] = view.strides;
      return data[view.offset + matrix * s0 + row * s1 + column * s2];
    });
    output[position] = epilogue ? epilogue.value(sum, ...loaded) : sum;
  }
  return output;
}

async function check(backend: Backend, product: Product, epilogue?: Epilogue): Promise<void> {
  const { batch, m, n, k, transposeA, transposeB, sharedA, sharedB } = product;
  const a = normals((sharedA ? 1 : batch) * m * k, 1);
  const b = normals((sharedB ? 1 : batch) * k * n, 2);
  const run = new KernelRun(backend);
  const kernel: MatmulKernel = {
    kind: 'matmul',
    batch,
    m,
    n,
    k,
    a: { buffer: run.input(a), transpose: transposeA, batchStride: stride(sharedA, m * k) },
    b: { buffer: run.input(b), transpose: transposeB, batchStride: stride(sharedB, k * n) },
    output: run.output(batch * m * n),
  };
  if (epilogue) {
    const views = epilogue.views.map(({ data, view }) => ({ buffer: run.input(data), ...view }));
    kernel.epilogue = { views, expression: epilogue.expression };
  }
  const [actual] = await run.run([kernel], [kernel.output]);
  expect(largestError(actual, reference(product, a, b, epilogue))).toBeLessThan(1e-6 * (8 + Math.sqrt(k)));
}

const TRANSPOSES = [
  ['NN', false, false],
  ['NT', false, true],
  ['TN', true, false],
  ['TT', true, true],
] as const;

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
    const expression: Expression = [
      { op: 'load', input: 0 },
      { op: 'load', input: 1 },
      { op: 'add', a: 0, b: 1 },
      { op: 'sigmoid', a: 2 },
      { op: 'load', input: 2 },
      { op: 'mul', a: 3, b: 4 },
    ];
    const value = (product: number, bias: number, residual: number) => residual / (1 + Math.exp(-product - bias));

    test.each([
      ['a small product', 2, 21, 35, 17],
      ['a row', 1, 2, 35, 40],
      ['a split k', 1, 9, 5, 1030],
    ])('bias, activation and a transposed residual on %s', async (_, batch, m, n, k) => {
      const views = [
        { data: normals(n + 3, 3), view: { offset: 3, strides: [0, 0, 1] } },
        { data: normals(batch * m * n, 4), view: { offset: 0, strides: [m * n, 1, m] } },
      ];
      await check(backend, { batch, m, n, k, transposeA: false, transposeB: false }, { views, expression, value });
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
    expect(largestError(actual, reference(product, data, data))).toBeLessThan(1e-5);
  });
});
