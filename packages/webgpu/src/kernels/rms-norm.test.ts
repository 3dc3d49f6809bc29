/** @jest-environment ./test/webgpu-environment.mjs */
import type { Backend, RmsNormGradKernel, RmsNormKernel } from '@transfusion/tensor';
import { openTestBackend } from '../testing/backend.js';
import { KernelRun } from '../testing/kernel-run.js';
import { largestError, normals } from '../testing/numbers.js';
import { rmsNormReference } from '../testing/row-references.js';

let backend: Backend;
beforeAll(async () => {
  backend = await openTestBackend();
});
afterAll(() => backend.dispose());

async function rmsNorm(rows: number, columns: number, epsilon: number, x: Float32Array, weight: Float32Array) {
  const run = new KernelRun(backend);
  const operands = { x: run.input(x), weight: run.input(weight), output: run.output(x.length), rstd: run.output(rows) };
  const kernel: RmsNormKernel = { kind: 'rmsNorm', rows, columns, epsilon, ...operands };
  const [output, rstd] = await run.run([kernel], [kernel.output, kernel.rstd]);
  return { output: output!, rstd: rstd! };
}

const SHAPES = [
  [1, 1],
  [3, 17],
  [65, 3],
  [2, 65],
  [3, 1500],
] as const;

test('the published example', async () => {
  const { output } = await rmsNorm(1, 4, 1e-5, Float32Array.from([1, -2, 3, -4]), new Float32Array(4).fill(1));
  const expected = [0.3651481282, -0.7302962565, 1.0954443847, -1.460592513];
  expect(largestError(output, expected)).toBeLessThan(3e-7);
});

test.each(SHAPES)('forward of [%i, %i]', async (rows, columns) => {
  const x = normals(rows * columns, 11, 3);
  const weight = normals(columns, 12);
  const { output, rstd } = await rmsNorm(rows, columns, 1e-5, x, weight);
  const reference = rmsNormReference({ rows, columns, epsilon: 1e-5 }, x, weight);
  expect(largestError(output, reference.output)).toBeLessThan(1e-6);
  expect(largestError(rstd, reference.rstd)).toBeLessThan(1e-6);
});

test('a row of zeros stays zeros', async () => {
  const { output, rstd } = await rmsNorm(1, 17, 1e-6, new Float32Array(17), new Float32Array(17).fill(2));
  expect(Array.from(output)).toEqual(Array.from(new Float32Array(17)));
  expect(rstd[0]).toBeCloseTo(1000, 2);
});

test.each(SHAPES)('the gradient of [%i, %i] is the derivative of the f64 forward', async (rows, columns) => {
  const epsilon = 0.1;
  const x = normals(rows * columns, 13);
  const weight = normals(columns, 14);
  const dy = normals(rows * columns, 15);
  const run = new KernelRun(backend);
  const operands = {
    x: run.input(x),
    weight: run.input(weight),
    rstd: run.input(Float32Array.from(rmsNormReference({ rows, columns, epsilon }, x, weight).rstd)),
    dy: run.input(dy),
    dx: run.output(x.length),
  };
  const kernel: RmsNormGradKernel = { kind: 'rmsNormGrad', rows, columns, ...operands };
  const [dx] = await run.run([kernel], [kernel.dx]);

  const step = 1e-5;
  const checked = Array.from({ length: Math.min(40, x.length) }, (_, n) => Math.floor((n * x.length) / 40) % x.length);
  const expected = checked.map((i) => {
    const row = Math.floor(i / columns);
    const moved = (by: number): number => {
      const values = Float64Array.from(x.subarray(row * columns, (row + 1) * columns));
      values[i % columns]! += by;
      const { output } = rmsNormReference({ rows: 1, columns, epsilon }, values, weight);
      return output.reduce((sum, value, c) => sum + value * dy[row * columns + c]!, 0);
    };
    return (moved(step) - moved(-step)) / (2 * step);
  });
  expect(
    largestError(
      checked.map((i) => dx![i]!),
      expected,
    ),
  ).toBeLessThan(2e-5);
});
