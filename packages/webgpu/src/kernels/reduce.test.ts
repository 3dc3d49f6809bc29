/** @jest-environment ./test/webgpu-environment.mjs */
import type { Backend, Expression, ReduceKernel, View } from '@transfusion/tensor';
import { openWebGpu } from '../open.js';
import { gpuWith, openTestBackend } from '../testing/backend.js';
import { KernelRun } from '../testing/kernel-run.js';
import { largestError, normals } from '../testing/numbers.js';
import { contiguousStrides, product } from './views.js';

let backend: Backend;
beforeAll(async () => {
  backend = await openTestBackend();
});
afterAll(() => backend.dispose());

type Operand = Omit<View, 'buffer'> & { data: Float32Array };

const LOAD: Expression = [{ op: 'load', input: 0 }];
/** a b + 1 */
const PRODUCT: Expression = [
  { op: 'load', input: 0 },
  { op: 'load', input: 1 },
  { op: 'mul', a: 0, b: 1 },
  { op: 'constant', value: 1 },
  { op: 'add', a: 2, b: 3 },
];

/** The kernel's result, and the definition in f64 with `value` for the expression. */
async function reduce(options: {
  shape: number[];
  keptRank: number;
  op: ReduceKernel['op'];
  operands: Operand[];
  expression: Expression;
  value: (...loaded: number[]) => number;
}): Promise<{ actual: Float32Array; expected: Float64Array }> {
  const { shape, keptRank, op, operands, expression, value } = options;
  const kept = product(shape.slice(0, keptRank));
  const reduced = product(shape.slice(keptRank));
  const run = new KernelRun(backend);
  const inputs = operands.map(({ data, offset, strides }) => ({ buffer: run.input(data), offset, strides }));
  const output = run.output(kept);
  const [actual] = await run.run([{ kind: 'reduce', shape, keptRank, inputs, expression, op, output }], [output]);

  const full = contiguousStrides(shape);
  const expected = new Float64Array(kept).fill(op === 'sum' ? 0 : -Infinity);
  for (let i = 0; i < kept * reduced; i++) {
    const loaded = operands.map(
      ({ data, offset, strides }) =>
        data[strides.reduce((at, stride, axis) => at + stride * (Math.floor(i / full[axis]) % shape[axis]), offset)],
    );
    const target = Math.floor(i / reduced);
    const element = value(...loaded);
    expected[target] = op === 'sum' ? expected[target] + element : Math.max(expected[target], element);
  }
  return { actual, expected };
}

function contiguous(shape: number[], seed: number): Operand {
  return { data: normals(product(shape), seed), offset: 0, strides: contiguousStrides(shape) };
}

const identity = (x: number) => x;

describe.each(['sum', 'max'] as const)('%s', (op) => {
  test.each([
    ['one element', [1], 0],
    ['all of a few', [7], 0],
    ['all of many: two dispatches', [70_001], 0],
    ['nothing: every element kept', [5, 3], 2],
    ['short rows', [65, 3], 1],
    ['rows', [9, 1000], 1],
    ['one long row', [1, 300, 41], 1],
    ['rows of several axes', [3, 5, 7, 11], 2],
  ])('%s %j', async (_, shape, keptRank) => {
    const operands = [contiguous(shape, 1)];
    const { actual, expected } = await reduce({ shape, keptRank, op, operands, expression: LOAD, value: identity });
    expect(largestError(actual, expected)).toBeLessThan(2e-5);
  });

  test.each([
    ['columns of a tall matrix', 40, 999],
    ['columns of a wide matrix', 3001, 17],
    ['one column', 1, 5000],
    ['columns of a matrix too tall for one dispatch', 33, 4100],
  ])('%s', async (_, columns, rows) => {
    // Kept axis: the columns, which are contiguous in memory.
    const operands: Operand[] = [{ data: normals(rows * columns, 2), offset: 0, strides: [1, columns] }];
    const shape = [columns, rows];
    const { actual, expected } = await reduce({ shape, keptRank: 1, op, operands, expression: LOAD, value: identity });
    expect(largestError(actual, expected)).toBeLessThan(2e-5);
  });

  test('of an expression over broadcast views with offsets', async () => {
    const shape = [6, 50, 9];
    const operands: Operand[] = [
      { data: normals(6 * 50 * 9 + 4, 3), offset: 4, strides: [9, 54, 1] },
      { data: normals(50 + 1, 4), offset: 1, strides: [0, 1, 0] },
    ];
    const value = (a: number, b: number) => a * b + 1;
    for (const keptRank of [0, 1, 2]) {
      const { actual, expected } = await reduce({ shape, keptRank, op, operands, expression: PRODUCT, value });
      expect(largestError(actual, expected)).toBeLessThan(1e-5);
    }
  });
});

describe('on a device with few workgroups per dimension and lanes per workgroup', () => {
  let full: Backend;
  beforeAll(async () => {
    full = backend;
    const limits = { maxComputeWorkgroupsPerDimension: 5, maxComputeInvocationsPerWorkgroup: 64 };
    backend = await openWebGpu({ gpu: gpuWith({ limits }) });
  });
  afterAll(async () => {
    await backend.dispose();
    backend = full;
  });

  test.each([
    ['rows', [33, 70], 1],
    ['short rows', [2000, 3], 1],
    ['all of many', [40_000], 0],
  ])('%s', async (_, shape, keptRank) => {
    const operands = [contiguous(shape, 5)];
    const { actual, expected } = await reduce({
      shape,
      keptRank,
      op: 'sum',
      operands,
      expression: LOAD,
      value: identity,
    });
    expect(largestError(actual, expected)).toBeLessThan(1e-5);
  });
});

test('sums of many equal numbers keep their digits, by rows and by columns', async () => {
  const count = 2 ** 18;
  const exact = count * Math.fround(0.1);
  const data = new Float32Array(count).fill(0.1);
  for (const [shape, strides] of [
    [
      [1, count],
      [0, 1],
    ],
    [
      [4, count / 4],
      [1, 4],
    ],
  ]) {
    const run = new KernelRun(backend);
    const inputs = [{ buffer: run.input(data), offset: 0, strides }];
    const output = run.output(shape[0]);
    const kernel: ReduceKernel = { kind: 'reduce', shape, keptRank: 1, inputs, expression: LOAD, op: 'sum', output };
    const [sums] = await run.run([kernel], [output]);
    const share = exact / shape[0];
    expect(Math.max(...sums.map((sum) => Math.abs(sum / share - 1)))).toBeLessThan(1e-6);
  }
});

test('NaN and infinities come through', async () => {
  const shape = [4, 100];
  const data = normals(400, 6);
  [data[50], data[150], data[250]] = [Number.NaN, Infinity, -Infinity];
  const operands: Operand[] = [{ data, offset: 0, strides: [100, 1] }];
  const max = await reduce({ shape, keptRank: 1, op: 'max', operands, expression: LOAD, value: identity });
  expect([...max.actual.subarray(0, 2)]).toEqual([Number.NaN, Infinity]);
  expect(Number.isFinite(max.actual[2])).toBe(true);
  const sum = await reduce({ shape, keptRank: 1, op: 'sum', operands, expression: LOAD, value: identity });
  expect([...sum.actual.subarray(0, 3)]).toEqual([Number.NaN, Infinity, -Infinity]);

  const lowest = new Float32Array(400).fill(-Infinity);
  const allLowest: Operand[] = [{ data: lowest, offset: 0, strides: [100, 1] }];
  const none = await reduce({ shape, keptRank: 1, op: 'max', operands: allLowest, expression: LOAD, value: identity });
  expect([...none.actual]).toEqual([-Infinity, -Infinity, -Infinity, -Infinity]);
});

test('the same numbers give the same bits', async () => {
  const shape = [3, 20_000];
  const operands = [contiguous(shape, 7)];
  const once = () => reduce({ shape, keptRank: 1, op: 'sum', operands, expression: LOAD, value: identity });
  expect((await once()).actual).toEqual((await once()).actual);
});
