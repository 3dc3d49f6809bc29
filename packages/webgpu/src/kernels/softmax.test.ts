/** @jest-environment ./test/webgpu-environment.mjs */
import type { Backend, SoftmaxGradKernel, SoftmaxKernel } from '@transfusion/tensor';
import { openTestBackend } from '../testing/backend.js';
import { KernelRun } from '../testing/kernel-run.js';
import { largestError, normals } from '../testing/numbers.js';
import { softmaxReference } from '../testing/row-references.js';

let backend: Backend;
beforeAll(async () => {
  backend = await openTestBackend();
});
afterAll(() => backend.dispose());

async function softmax(rows: number, columns: number, log: boolean, x: Float32Array): Promise<Float32Array> {
  const run = new KernelRun(backend);
  const kernel: SoftmaxKernel = {
    kind: 'softmax',
    log,
    rows,
    columns,
    input: run.input(x),
    output: run.output(rows * columns),
  };
  const [output] = await run.run([kernel], [kernel.output]);
  return output!;
}

const SHAPES = [
  [1, 1],
  [3, 17],
  [65, 3],
  [2, 65],
  [3, 1500],
] as const;

describe.each([false, true])('log %s', (log) => {
  test.each(SHAPES)('softmax of [%i, %i]', async (rows, columns) => {
    const x = normals(rows * columns, 5, 10);
    const output = await softmax(rows, columns, log, x);
    expect(largestError(output, softmaxReference({ rows, columns, log }, x))).toBeLessThan(2e-6);
  });

  test.each(SHAPES)('the gradient of [%i, %i] is the derivative of the f64 forward', async (rows, columns) => {
    const x = normals(rows * columns, 6, 2);
    const dy = normals(rows * columns, 7);
    const y = Float32Array.from(softmaxReference({ rows, columns, log }, x));
    const run = new KernelRun(backend);
    const operands = { y: run.input(y), dy: run.input(dy), dx: run.output(x.length) };
    const kernel: SoftmaxGradKernel = { kind: 'softmaxGrad', log, rows, columns, ...operands };
    const [dx] = await run.run([kernel], [kernel.dx]);

    const step = 1e-5;
    const checked = Array.from(
      { length: Math.min(40, x.length) },
      (_, n) => Math.floor((n * x.length) / 40) % x.length,
    );
    const expected = checked.map((i) => {
      const row = Math.floor(i / columns);
      const moved = (by: number): number => {
        const values = Float64Array.from(x.subarray(row * columns, (row + 1) * columns));
        values[i % columns]! += by;
        const result = softmaxReference({ rows: 1, columns, log }, values);
        return result.reduce((sum, value, c) => sum + value * dy[row * columns + c]!, 0);
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

  test('scores of any size neither overflow nor vanish', async () => {
    const x = Float32Array.from([1e30, -1e30, 1e4, 1e4, -1e4, -1e4, -3e38, -3e38]);
    const output = await softmax(4, 2, log, x);
    expect(largestError(output, softmaxReference({ rows: 4, columns: 2, log }, x))).toBeLessThan(1e-6);
  });

  test('NaN in a row stays in that row and is not swallowed', async () => {
    const x = normals(3 * 33, 8);
    x[33 + 20] = Number.NaN;
    const output = await softmax(3, 33, log, x);
    expect(output.subarray(33, 66).every(Number.isNaN)).toBe(true);
    const reference = softmaxReference({ rows: 1, columns: 33, log }, x.subarray(66));
    expect(largestError(output.subarray(66), reference)).toBeLessThan(1e-6);
  });
});
