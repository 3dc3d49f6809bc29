import type { BinaryOp, UnaryOp } from '@transfusion/tensor';
import { type KernelRun, useKernelRunner } from './testing/kernel-runner.js';
import { floats } from './testing/values.js';

const runner = useKernelRunner();

/** erf by its series, and by its continued fraction where that converges (Abramowitz and Stegun 7.1.5, 7.1.14). */
function erf(x: number): number {
  if (x === 0) return x;
  const t = Math.abs(x);
  if (Number.isNaN(x) || t > 6) return Number.isNaN(x) ? x : Math.sign(x);
  if (t > 3) {
    let fraction = 0;
    for (let n = 80; n > 0; n--) fraction = n / 2 / (t + fraction);
    return Math.sign(x) * (1 - Math.exp(-t * t) / Math.sqrt(Math.PI) / (t + fraction));
  }
  let sum = 0;
  let term = x;
  for (let n = 0; n < 200; n++) {
    sum += term / (2 * n + 1);
    term *= (-t * t) / (n + 1);
  }
  return (sum * 2) / Math.sqrt(Math.PI);
}

const functions: Partial<Record<UnaryOp, { reference(x: number): number; scales: number[]; absolute?: number }>> = {
  exp: { reference: Math.exp, scales: [1, 87] },
  log: { reference: Math.log, scales: [1, 100, 3e38] },
  sin: { reference: Math.sin, scales: [4, 1e5, 1e9], absolute: 1e-6 },
  cos: { reference: Math.cos, scales: [4, 1e5, 1e9], absolute: 1e-6 },
  tanh: { reference: Math.tanh, scales: [0.6, 10] },
  erf: { reference: erf, scales: [0.9, 5] },
  sigmoid: { reference: (x) => 1 / (1 + Math.exp(-x)), scales: [1, 80] },
};

const edges = [0, 1, 2, 3, 0.5, 0.625, 1e-10, 1e-38, 1e-45, 88.7, 88.8, 87.4, 103.9, 104, 131072, 16777217, 3e38]
  .flatMap((x) => [x, -x])
  .concat(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN);

function view(buffer: number) {
  return { buffer, offset: 0, strides: [1] };
}

function unary(op: UnaryOp, x: Float32Array): KernelRun<'x' | 'y'> {
  return {
    inputs: { x },
    outputs: { y: x.length },
    kernel: (buffers) => ({
      kind: 'elementwise',
      shape: [x.length],
      inputs: [view(buffers.x)],
      output: view(buffers.y),
      expression: [
        { op: 'load', input: 0 },
        { op, a: 0 },
      ],
    }),
  };
}

function binary(op: BinaryOp, a: Float32Array, b: Float32Array): KernelRun<'a' | 'b' | 'y'> {
  return {
    inputs: { a, b },
    outputs: { y: a.length },
    kernel: (buffers) => ({
      kind: 'elementwise',
      shape: [a.length],
      inputs: [view(buffers.a), view(buffers.b)],
      output: view(buffers.y),
      expression: [
        { op: 'load', input: 0 },
        { op: 'load', input: 1 },
        { op, a: 0, b: 1 },
      ],
    }),
  };
}

/** Zeros with their sign, infinities and NaN exactly; denormals to a few of the smallest. */
const exact = { absolute: 3e-45, relative: 1e-6 };

describe.each(Object.entries(functions))('%s', (op, { reference, scales, absolute = 3e-45 }) => {
  test.each(scales)('within 1e-6 up to %d', async (scale) => {
    const x = floats(4001, 1, scale).map((value) => (op === 'log' ? Math.abs(value) : value));
    await runner.check(unary(op as UnaryOp, x), { y: Float64Array.from(x, reference) }, { absolute, relative: 1e-6 });
  });

  test('at the edges of the range', async () => {
    const x = Float32Array.from(edges);
    const expected = Float64Array.from(x, reference);
    await runner.check(unary(op as UnaryOp, x), { y: expected }, { ...exact, absolute });
    if (absolute > 1e-44) return;
    const { y } = await runner.run(unary(op as UnaryOp, x));
    for (const [i, value] of y.entries()) {
      if (value === 0) expect([x[i], value]).toEqual([x[i], Math.fround(expected[i])]);
    }
  });
});

test('an odd function keeps the sign of zero', async () => {
  for (const op of ['sin', 'tanh', 'erf'] as const) {
    expect([...(await runner.run(unary(op, Float32Array.of(0, -0)))).y]).toEqual([0, -0]);
  }
});

describe('pow', () => {
  test('within 1e-6', async () => {
    const a = floats(4001, 1, 2).map((x) => 2 + x);
    const b = floats(4001, 2, 20);
    const expected = Float64Array.from(a, (x, i) => x ** b[i]);
    await runner.check(binary('pow', a, b), { y: expected }, exact);
  });

  test('as Math.pow on every pair of edges', async () => {
    const pairs = edges.flatMap((x) => edges.map((y) => [x, y]));
    const a = Float32Array.from(pairs, ([x]) => x);
    const b = Float32Array.from(pairs, ([, y]) => y);
    const expected = Float64Array.from(a, (x, i) => x ** b[i]);
    await runner.check(binary('pow', a, b), { y: expected }, exact);
  });
});
