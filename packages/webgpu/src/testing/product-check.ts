/** @file Products of matrices on a backend, compared with their definition in f64. */
import type { Backend, Expression, MatmulKernel, View } from '@transfusion/tensor';
import { KernelRun } from './kernel-run.js';
import { largestError, normals } from './numbers.js';

/** Errors of `productError` are below this. */
export const PRODUCT_TOLERANCE = 1e-6;

/** A product of matrices, as numbers are made for it. */
export interface ProductCase {
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

export interface EpilogueCase {
  views: { data: Float32Array; view: Omit<View, 'buffer'> }[];
  expression: Expression;
  value: (product: number, ...loaded: number[]) => number;
}

const stride = (shared: boolean | undefined, size: number) => (shared ? 0 : size);

/** The definition, in f64. */
export function productReference(
  product: ProductCase,
  a: Float32Array,
  b: Float32Array,
  epilogue?: EpilogueCase,
): Float64Array {
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

/** Computes the product on the backend and gives its largest error, in parts of what k sums may lose. */
export async function productError(backend: Backend, product: ProductCase, epilogue?: EpilogueCase): Promise<number> {
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
  return largestError(actual, productReference(product, a, b, epilogue)) / (8 + Math.sqrt(k));
}

export const TRANSPOSES = [
  ['NN', false, false],
  ['NT', false, true],
  ['TN', true, false],
  ['TT', true, true],
] as const;

const GATED: Expression = [
  { op: 'load', input: 0 },
  { op: 'load', input: 1 },
  { op: 'add', a: 0, b: 1 },
  { op: 'sigmoid', a: 2 },
  { op: 'load', input: 2 },
  { op: 'mul', a: 3, b: 4 },
];

/** An epilogue of bias, activation and a transposed residual for a product of this size. */
export function gatedEpilogue({ batch, m, n }: Pick<ProductCase, 'batch' | 'm' | 'n'>): EpilogueCase {
  return {
    views: [
      { data: normals(n + 3, 3), view: { offset: 3, strides: [0, 0, 1] } },
      { data: normals(batch * m * n, 4), view: { offset: 0, strides: [m * n, 1, m] } },
    ],
    expression: GATED,
    value: (product, bias, residual) => residual / (1 + Math.exp(-product - bias)),
  };
}

/** The same with what four results in a row can read at once: a bias, a residual, and a factor for each row. */
export function alignedEpilogue({ batch, m, n }: Pick<ProductCase, 'batch' | 'm' | 'n'>): EpilogueCase {
  const factor = GATED.length;
  return {
    views: [
      { data: normals(n + 4, 3), view: { offset: 4, strides: [0, 0, 1] } },
      { data: normals(batch * m * n, 4), view: { offset: 0, strides: [m * n, n, 1] } },
      { data: normals(m, 5), view: { offset: 0, strides: [0, 1, 0] } },
    ],
    expression: [...GATED, { op: 'load', input: 3 }, { op: 'mul', a: factor - 1, b: factor }],
    value: (product, bias, residual, scale) => (scale * residual) / (1 + Math.exp(-product - bias)),
  };
}
