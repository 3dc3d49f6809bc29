/** @jest-environment ./test/webgpu-environment.mjs */
import type { Backend, BinaryOp, ElementwiseKernel, Expression, UnaryOp, View } from '@transfusion/tensor';
import { openTestBackend } from '../testing/backend.js';
import { KernelRun } from '../testing/kernel-run.js';
import { normals, uniformSource } from '../testing/numbers.js';
import { contiguousStrides, product } from './views.js';

let backend: Backend;
beforeAll(async () => {
  backend = await openTestBackend();
});
afterAll(() => backend.dispose());

const whole = (buffer: number, shape: number[]): View => ({ buffer, offset: 0, strides: contiguousStrides(shape) });
const LOAD_2: Expression = [
  { op: 'load', input: 0 },
  { op: 'load', input: 1 },
];

/** expression(inputs) over equally long contiguous inputs. */
async function evaluate(expression: Expression, ...data: Float32Array[]): Promise<Float32Array> {
  const run = new KernelRun(backend);
  const shape = [data[0].length];
  const inputs = data.map((values) => whole(run.input(values), shape));
  const output = run.output(shape[0]);
  const [result] = await run.run(
    [{ kind: 'elementwise', shape, inputs, output: whole(output, shape), expression }],
    [output],
  );
  return result;
}

/** erf by its Taylor series, in f64: exact to 1e-12 for |x| < 4. */
function erf(x: number): number {
  if (Math.abs(x) > 4) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; n < 120; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const UNARY: Record<Exclude<UnaryOp, 'toFloat' | 'toInt'>, (x: number) => number> = {
  neg: (x) => -x,
  abs: Math.abs,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  erf,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  floor: Math.floor,
  reciprocal: (x) => 1 / x,
};

/** The f32 result where it is normal: devices may flush smaller ones to zero. */
function toF32(value: number): number {
  const rounded = Math.fround(value);
  return Math.abs(rounded) < 2 ** -126 ? 0 : rounded;
}

/** Equal, both NaN, or within `units` units in the last place (of numbers of at least `floor`). */
function isClose(actual: number, exact: number, units: number, floor: number): boolean {
  const expected = toF32(exact);
  if (expected === 0 && Math.abs(actual) < 2 ** -126) return true;
  if (Object.is(actual, expected) || actual === expected) return true;
  if (!Number.isFinite(expected) || !Number.isFinite(actual)) return Number.isNaN(actual) && Number.isNaN(expected);
  return Math.abs(actual - exact) <= units * 2 ** -23 * Math.max(Math.abs(exact), floor);
}

const SPECIAL = [
  0,
  -0,
  1,
  -1,
  Infinity,
  -Infinity,
  Number.NaN,
  3.4e38,
  -3.4e38,
  1e-30,
  0.5,
  88.5,
  -87,
  89,
  -104,
  20,
  -20,
];

describe('unary operations against Math in f64', () => {
  const uniform = uniformSource(1);
  const values = Float32Array.from([
    ...SPECIAL,
    ...Array.from({ length: 600 }, () => (uniform() - 0.5) * 20),
    ...Array.from({ length: 200 }, () => (uniform() - 0.5) * 2000),
    ...Array.from({ length: 200 }, () => Math.exp((uniform() - 0.5) * 160) * (uniform() < 0.5 ? -1 : 1)),
  ]);

  test.each(Object.keys(UNARY) as (keyof typeof UNARY)[])('%s', async (op) => {
    const actual = await evaluate(
      [
        { op: 'load', input: 0 },
        { op, a: 0 },
      ],
      values,
    );
    const periodic = op === 'sin' || op === 'cos';
    const wrong = Array.from(values)
      .map((x, i) => ({ x, actual: actual[i], expected: UNARY[op](x) }))
      .filter(({ x }) => !periodic || !(Math.abs(x) > 2000) || !Number.isFinite(x))
      .filter(({ actual, expected }) => !isClose(actual, expected, 4, periodic ? 0.05 : 0));
    expect(wrong).toEqual([]);
  });

  test('sin and cos stay bounded and near the truth for large angles', async () => {
    const angles = Float32Array.from({ length: 400 }, () => (uniform() - 0.5) * 2e5);
    for (const op of ['sin', 'cos'] as const) {
      const actual = await evaluate(
        [
          { op: 'load', input: 0 },
          { op, a: 0 },
        ],
        angles,
      );
      const errors = Array.from(angles, (x, i) => Math.abs(actual[i] - UNARY[op](x)));
      expect(Math.max(...errors)).toBeLessThan(1e-5);
      const huge = await evaluate(
        [
          { op: 'load', input: 0 },
          { op, a: 0 },
        ],
        Float32Array.of(1e12, -3e30),
      );
      expect(Math.max(...huge.map(Math.abs))).toBeLessThanOrEqual(1);
    }
  });

  test('the sign of zero', async () => {
    for (const op of ['sin', 'tanh', 'erf', 'floor', 'sqrt'] as const) {
      const [result] = await evaluate(
        [
          { op: 'load', input: 0 },
          { op, a: 0 },
        ],
        Float32Array.of(-0),
      );
      expect([op, result]).toEqual([op, -0]);
    }
  });
});

const BINARY: Record<BinaryOp, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  max: Math.max,
  min: Math.min,
  pow: Math.pow,
  less: (a, b) => Number(a < b),
  lessEqual: (a, b) => Number(a <= b),
  equal: (a, b) => Number(a === b),
  notEqual: (a, b) => Number(a !== b),
};

describe('binary operations against f64', () => {
  const interesting = [0, -0, 1, -1, 2, -2, 3, -3, 0.5, -0.5, 2.5, Infinity, -Infinity, Number.NaN, 1e20, -1e20, 7];
  const pairs = interesting.flatMap((a) => interesting.map((b) => [a, b]));
  const uniform = uniformSource(2);
  for (let i = 0; i < 400; i++) pairs.push([uniform() * 6 - 1, (uniform() - 0.5) * 12]);
  const a = Float32Array.from(pairs, ([first]) => first);
  const b = Float32Array.from(pairs, ([, second]) => second);

  test.each(Object.keys(BINARY) as BinaryOp[])('%s', async (op) => {
    const actual = await evaluate([...LOAD_2, { op, a: 0, b: 1 }], a, b);
    const wrong = Array.from(a)
      .map((x, i) => ({ a: x, b: b[i], actual: actual[i], expected: BINARY[op](x, b[i]) }))
      .filter(({ actual, expected }) => !isClose(actual, expected, 4, 0));
    expect(wrong).toEqual([]);
  });

  test.each([0, 1, 2, 3, -1, 0.5, -2, 7, 2.5])('pow by the constant %p', async (exponent) => {
    const expression: Expression = [
      { op: 'load', input: 0 },
      { op: 'constant', value: exponent },
      { op: 'pow', a: 0, b: 1 },
    ];
    const actual = await evaluate(expression, a);
    const wrong = Array.from(a)
      .map((x, i) => ({ x, actual: actual[i], expected: x ** exponent }))
      .filter(({ actual, expected }) => !isClose(actual, expected, 4, 0));
    expect(wrong).toEqual([]);
  });
});

test('constants keep their bits, non-finite ones too', async () => {
  for (const value of [0.1, -0, 1e-30, -3.5e37, Infinity, -Infinity, Number.NaN, 16777217]) {
    const [result] = await evaluate([{ op: 'constant', value }], new Float32Array(1));
    expect(result).toBe(Math.fround(value));
  }
});

test('select takes the second operand only where the condition is zero', async () => {
  const condition = Float32Array.of(0, -0, 1, -1, Number.NaN, Infinity);
  const expression: Expression = [...LOAD_2, { op: 'constant', value: 9 }, { op: 'select', condition: 0, a: 1, b: 2 }];
  expect([...(await evaluate(expression, condition, new Float32Array(6).fill(4)))]).toEqual([9, 9, 4, 4, 4, 4]);
});

describe('integers', () => {
  async function run(data: Int32Array | Float32Array, expression: Expression, outputType: 'i32' | 'f32') {
    const kernelRun = new KernelRun(backend);
    const shape = [data.length];
    const input = kernelRun.input(data);
    const output = kernelRun.input(outputType === 'i32' ? new Int32Array(data.length) : new Float32Array(data.length));
    const kernel: ElementwiseKernel = {
      kind: 'elementwise',
      shape,
      inputs: [whole(input, shape)],
      output: whole(output, shape),
      expression,
    };
    const [result] = await kernelRun.run([kernel], [output]);
    return outputType === 'i32' ? [...new Int32Array(result.buffer)] : [...result];
  }
  const load: Expression = [{ op: 'load', input: 0 }];
  const edges = Int32Array.of(0, 1, -1, 2147483647, -2147483648, 16777217, 2143289344);

  test('are copied bit by bit', async () => {
    expect(await run(edges, load, 'i32')).toEqual([...edges]);
  });
  test('become floats', async () => {
    expect(await run(edges, [...load, { op: 'toFloat', a: 0 }], 'f32')).toEqual(Array.from(edges, Math.fround));
  });
  test('come from floats towards zero, saturating', async () => {
    const floats = Float32Array.of(1.9, -1.9, 0.5, -0.5, 3e9, -3e9, Number.NaN, Infinity, 2147483520);
    const expected = [1, -1, 0, 0, 2147483647, -2147483648, 0, 2147483647, 2147483520];
    expect((await run(floats, [...load, { op: 'toInt', a: 0 }], 'i32')).map((value) => value + 0)).toEqual(expected);
  });
  test('take no part in arithmetic', async () => {
    await expect(run(edges, [...load, { op: 'neg', a: 0 }], 'i32')).rejects.toThrow(/operand 0 is i32, must be f32/);
    await expect(run(edges, load, 'f32')).rejects.toThrow(/register 0 is i32, must be f32/);
  });
});

describe('views', () => {
  /** output = a - b over the views, compared with the definition. */
  async function check(shape: number[], a: Omit<View, 'buffer'>, b: Omit<View, 'buffer'>, out: Omit<View, 'buffer'>) {
    const extent = (view: Omit<View, 'buffer'>) =>
      view.offset + 1 + view.strides.reduce((end, stride, axis) => end + stride * (shape[axis] - 1), 0);
    const run = new KernelRun(backend);
    const aData = normals(extent(a), 3);
    const bData = normals(extent(b), 4);
    const before = normals(extent(out), 5);
    const [aBuffer, bBuffer, outBuffer] = [run.input(aData), run.input(bData), run.input(before)];
    const kernel: ElementwiseKernel = {
      kind: 'elementwise',
      shape,
      inputs: [
        { buffer: aBuffer, ...a },
        { buffer: bBuffer, ...b },
      ],
      output: { buffer: outBuffer, ...out },
      expression: [...LOAD_2, { op: 'sub', a: 0, b: 1 }],
    };
    const [actual] = await run.run([kernel], [outBuffer]);
    const expected = before.slice();
    const strides = contiguousStrides(shape);
    for (let i = 0; i < product(shape); i++) {
      const at = (view: Omit<View, 'buffer'>) =>
        view.strides.reduce(
          (sum, stride, axis) => sum + stride * (Math.floor(i / strides[axis]) % shape[axis]),
          view.offset,
        );
      expected[at(out)] = aData[at(a)] - bData[at(b)];
    }
    expect(actual).toEqual(expected);
  }

  test('a transpose, a broadcast and a slice', () =>
    check([5, 7], { offset: 2, strides: [1, 5] }, { offset: 1, strides: [0, 1] }, { offset: 3, strides: [9, 1] }));
  test('six axes with sizes of 1', () =>
    check(
      [3, 1, 2, 5, 1, 7],
      { offset: 0, strides: [70, 70, 35, 7, 7, 1] },
      { offset: 5, strides: [1, 0, 3, 0, 9, 6] },
      { offset: 0, strides: [70, 0, 35, 7, 0, 1] },
    ));
  test('one element', () =>
    check([1], { offset: 4, strides: [1] }, { offset: 0, strides: [0] }, { offset: 2, strides: [1] }));
  test('more elements than a workgroup has lanes', () =>
    check(
      [3, 1001],
      { offset: 0, strides: [1001, 1] },
      { offset: 0, strides: [1, 0] },
      { offset: 0, strides: [1001, 1] },
    ));

  test('in place, and one buffer read through two views', async () => {
    const run = new KernelRun(backend);
    const data = normals(64, 6);
    const buffer = run.input(data);
    const shape = [64];
    const kernel: ElementwiseKernel = {
      kind: 'elementwise',
      shape,
      inputs: [whole(buffer, shape), whole(buffer, shape)],
      output: whole(buffer, shape),
      expression: [...LOAD_2, { op: 'mul', a: 0, b: 1 }],
    };
    const [result] = await run.run([kernel], [buffer]);
    expect(result).toEqual(data.map((value) => value * value));
  });
});
