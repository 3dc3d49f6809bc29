import type { Backend, BinaryOp, ElementwiseKernel, Expression, UnaryOp, View } from '@transfusion/tensor';
import { openWasm } from './index.js';
import { evaluateAll } from './testing/reference.js';
import { largestError, noise, runKernels } from './testing/run-kernel.js';
import { product, rowMajorStrides } from './views.js';

let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 2 });
});
afterAll(() => backend.dispose());

/** Runs a kernel whose output is the last buffer, contiguous, and compares with the reference. */
async function check(shape: number[], inputs: View[], contents: Float32Array[], expression: Expression) {
  const output = { buffer: contents.length, offset: 0, strides: rowMajorStrides(shape) };
  const kernel: ElementwiseKernel = { kind: 'elementwise', shape, inputs, output, expression };
  const actual = await runKernels(backend, [kernel], [...contents, product(shape)], contents.length);
  expect(largestError(actual, evaluateAll(shape, inputs, contents, expression))).toBeLessThan(2e-6);
}

const contiguous = (buffer: number, shape: number[]): View => ({ buffer, offset: 0, strides: rowMajorStrides(shape) });
const load = (input: number) => ({ op: 'load', input }) as const;

const unaryOps: UnaryOp[] = [
  ...(['neg', 'abs', 'exp', 'log', 'sqrt', 'rsqrt', 'sin', 'cos', 'tanh', 'erf', 'sigmoid', 'floor'] as const),
  'reciprocal',
];
const binaryOps: BinaryOp[] = [
  ...(['add', 'sub', 'mul', 'div', 'max', 'min', 'pow', 'less', 'lessEqual', 'equal', 'notEqual'] as const),
];
const lengths = [1, 3, 4, 17, 63, 65, 1000, 1025, 40_001];

describe('one instruction', () => {
  test.each(unaryOps)('%s', async (op) => {
    const positive = op === 'log' || op === 'sqrt' || op === 'rsqrt';
    for (const length of lengths) {
      const x = noise(length, length).map((value) => (positive ? Math.abs(value) * 5 + 0.01 : value * 5));
      await check([length], [contiguous(0, [length])], [x], [load(0), { op, a: 0 }]);
    }
  });

  test.each(binaryOps)('%s', async (op) => {
    for (const length of lengths) {
      // Rounded, so that some are equal.
      const round = (value: number) => Math.round(value * 20) / 4;
      const x = noise(length, length).map((value) => (op === 'pow' ? Math.abs(value) + 0.1 : round(value)));
      const y = noise(length, length + 1).map((value) => round(value) || 1);
      const views = [contiguous(0, [length]), contiguous(1, [length])];
      await check([length], views, [x, y], [load(0), load(1), { op, a: 0, b: 1 }]);
    }
  });

  test('infinities, NaN and zeros', async () => {
    const special = [0, -0, 1, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 0.5, -2.5];
    const x = Float32Array.from(special.flatMap((value) => special.map(() => value)));
    const y = Float32Array.from(special.flatMap(() => special));
    const length = x.length;
    for (const op of ['add', 'mul', 'div', 'max', 'min', 'less', 'lessEqual', 'equal', 'notEqual'] as const) {
      const views = [contiguous(0, [length]), contiguous(1, [length])];
      await check([length], views, [x, y], [load(0), load(1), { op, a: 0, b: 1 }]);
    }
  });
});

describe('views', () => {
  const add: Expression = [load(0), load(1), { op: 'add', a: 0, b: 1 }];

  test.each([
    [1, 1],
    [3, 5],
    [7, 128],
    [100, 129],
    [5, 3000],
    [2000, 3],
    [300, 1],
  ])('%d rows of %d: a bias, a scale of each row, one number for all', async (rows, columns) => {
    const shape = [rows, columns];
    const x = noise(rows * columns);
    await check(shape, [contiguous(0, shape), { buffer: 1, offset: 0, strides: [0, 1] }], [x, noise(columns, 2)], add);
    await check(shape, [contiguous(0, shape), { buffer: 1, offset: 0, strides: [1, 0] }], [x, noise(rows, 2)], add);
    await check(shape, [contiguous(0, shape), { buffer: 1, offset: 0, strides: [0, 0] }], [x, noise(1, 2)], add);
  });

  test('transposes, slices and broadcasts of up to six axes', async () => {
    const x = noise(20_000);
    const y = noise(20_000, 2);
    const cases: [number[], number[], number[]][] = [
      [
        [17, 63],
        [1, 17],
        [63, 1],
      ],
      [
        [4, 5, 6, 7],
        [210, 7, 35, 1],
        [0, 0, 7, 1],
      ],
      [
        [3, 4, 5, 6],
        [1, 3, 12, 60],
        [0, 6, 0, 1],
      ],
      [
        [2, 3, 4, 5, 6, 7],
        [2520, 840, 210, 42, 7, 1],
        [1, 2, 6, 24, 120, 720],
      ],
      [
        [2, 3, 4, 5, 6, 7],
        [0, 1, 0, 3, 0, 15],
        [15, 0, 30, 0, 120, 0],
      ],
      [
        [50, 40],
        [100, 2],
        [0, 3],
      ],
    ];
    for (const [shape, left, right] of cases) {
      const views = [
        { buffer: 0, offset: 5, strides: left },
        { buffer: 1, offset: 3, strides: right },
      ];
      await check(shape, views, [x, y], add);
    }
  });

  test('a strided output writes its elements and nothing else', async () => {
    const x = noise(35 * 33);
    for (const [shape, strides, size] of [
      [[35, 33], [1, 35], 35 * 33],
      [[35, 33], [40, 1], 34 * 40 + 33],
      [[35, 33], [99, 3], 35 * 99],
    ] as const) {
      const kernel: ElementwiseKernel = {
        kind: 'elementwise',
        shape: [...shape],
        inputs: [contiguous(0, [...shape])],
        output: { buffer: 1, offset: 0, strides: [...strides] },
        expression: [load(0), { op: 'neg', a: 0 }],
      };
      const actual = await runKernels(backend, [kernel], [x, size], 1);
      const expected = new Float32Array(size).fill(Number.NaN);
      x.forEach((value, i) => {
        expected[Math.floor(i / 33) * strides[0] + (i % 33) * strides[1]] = -value;
      });
      expect(actual).toEqual(expected);
    }
  });

  test('an output that is one of the inputs is updated in place', async () => {
    const shape = [37, 129];
    const view = contiguous(1, shape);
    const kernels: ElementwiseKernel[] = [
      { kind: 'elementwise', shape, inputs: [contiguous(0, shape)], output: view, expression: [load(0)] },
      {
        kind: 'elementwise',
        shape,
        inputs: [view, contiguous(0, shape)],
        output: view,
        expression: [load(0), load(1), { op: 'mul', a: 0, b: 1 }, { op: 'sub', a: 2, b: 0 }],
      },
    ];
    const x = noise(37 * 129);
    const actual = await runKernels(backend, kernels, [x, x.length], 1);
    expect(
      largestError(
        actual,
        x.map((value) => value * value - value),
      ),
    ).toBeLessThan(1e-6);
  });
});

describe('expressions', () => {
  test('select, constants and numbers that are the same for all', async () => {
    const expression: Expression = [
      load(0),
      { op: 'constant', value: 0.25 },
      load(1),
      { op: 'mul', a: 1, b: 2 },
      { op: 'less', a: 0, b: 3 },
      { op: 'neg', a: 0 },
      { op: 'select', condition: 4, a: 5, b: 3 },
    ];
    const scalar = { buffer: 1, offset: 0, strides: [0] };
    await check([1001], [contiguous(0, [1001]), scalar], [noise(1001), noise(1, 4)], expression);
    await check(
      [1001],
      [],
      [],
      [
        { op: 'constant', value: 3.5 },
        { op: 'exp', a: 0 },
      ],
    );
    await check([1001], [scalar], [noise(1), noise(1)], [load(0)]);
  });

  test('many live registers', async () => {
    const count = 40;
    const views = Array.from({ length: count }, (_, i) => ({ buffer: 0, offset: i, strides: [1, 0] }));
    const expression: Expression = views.map((_, i) => load(i));
    for (let i = 0; i < count; i++) expression.push({ op: 'sin', a: i });
    for (let i = 0; i < count - 1; i++) {
      expression.push({ op: 'add', a: i === 0 ? count : expression.length - 1, b: count + i + 1 });
    }
    await check([29, 31], views, [noise(100)], expression);
  });

  test('integers are loaded, selected, converted and stored', async () => {
    const indices = Int32Array.from({ length: 101 }, (_, i) => (i - 50) * 16_777_259);
    const view = (buffer: number) => contiguous(buffer, [101]);
    const run = (expression: Expression, contents: (Float32Array | Int32Array)[], type: 'f32' | 'i32') => {
      const inputs = contents.map((_, i) => view(i));
      const output = view(contents.length);
      const kernel: ElementwiseKernel = { kind: 'elementwise', shape: [101], inputs, output, expression };
      return runKernels(backend, [kernel], [...contents, 101], contents.length, type);
    };
    const copied = await run([load(0)], [indices], 'i32');
    expect(new Int32Array(copied.buffer)).toEqual(indices);
    expect(await run([load(0), { op: 'toFloat', a: 0 }], [indices], 'f32')).toEqual(Float32Array.from(indices));
    const x = noise(101).map((value) => value * 100);
    const truncated = await run([load(0), { op: 'toInt', a: 0 }], [x], 'i32');
    expect(new Int32Array(truncated.buffer)).toEqual(Int32Array.from(x, Math.trunc));
  });
});
