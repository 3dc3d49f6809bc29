/** @jest-environment ./test/webgpu-environment.mjs */
import type { Backend, RopeKernel } from '@transfusion/tensor';
import { openTestBackend } from '../testing/backend.js';
import { KernelRun } from '../testing/kernel-run.js';
import { integers, largestError, normals } from '../testing/numbers.js';
import { ropeReference } from '../testing/row-references.js';

let backend: Backend;
beforeAll(async () => {
  backend = await openTestBackend();
});
afterAll(() => backend.dispose());

function tables(tableRows: number, headDim: number, theta = 1e4): { cos: Float32Array; sin: Float32Array } {
  const pairs = headDim / 2;
  const angle = (i: number): number => Math.floor(i / pairs) * theta ** (-(i % pairs) / pairs);
  const length = tableRows * pairs;
  return {
    cos: Float32Array.from({ length }, (_, i) => Math.cos(angle(i))),
    sin: Float32Array.from({ length }, (_, i) => Math.sin(angle(i))),
  };
}

type Shape = Pick<RopeKernel, 'rows' | 'heads' | 'headDim' | 'tableRows' | 'interleaved' | 'inverse'>;

async function rope(shape: Shape, x: Float32Array, positions: Int32Array) {
  const { cos, sin } = tables(shape.tableRows, shape.headDim);
  const run = new KernelRun(backend);
  const operands = {
    x: run.input(x),
    positions: run.input(positions),
    cos: run.input(cos),
    sin: run.input(sin),
    output: run.output(x.length),
  };
  const kernel: RopeKernel = { kind: 'rope', ...shape, ...operands };
  const [output] = await run.run([kernel], [kernel.output]);
  return { output: output!, reference: ropeReference(kernel, x, positions, cos, sin) };
}

// theta 1e4, headDim 8, x = 1 .. 8, computed in f64 from the definition.
const GOLDEN = {
  interleaved: [
    [-1.1426396637, 1.9220755965, 2.5856788292, 4.2795169111, 4.9397510021, 6.0496991692, 6.9919965013, 8.0069959988],
    [2.2015107348, -0.3915999037, 0.7150455313, 4.9486068634, 4.6938762864, 6.2423974087, 6.9599126668, 8.0348998544],
  ],
  halves: [
    -3.6670526182, 1.3910078307, 2.9298511679, 3.9919980013, 3.5429825141, 6.169691825, 7.0296495029, 8.0039959993,
  ],
};

test('golden values', async () => {
  const shape = { rows: 2, heads: 1, headDim: 8, tableRows: 6, inverse: false };
  const x = Float32Array.from({ length: 16 }, (_, i) => 1 + (i % 8));
  const positions = Int32Array.from([1, 5]);
  const interleaved = await rope({ ...shape, interleaved: true }, x, positions);
  expect(largestError(interleaved.output, GOLDEN.interleaved.flat())).toBeLessThan(3e-7);
  const halves = await rope({ ...shape, interleaved: false }, x, positions);
  expect(largestError(halves.output.subarray(0, 8), GOLDEN.halves)).toBeLessThan(3e-7);
});

describe.each([true, false])('interleaved %s', (interleaved) => {
  test.each([true, false])('inverse %s, with positions out of range', async (inverse) => {
    for (const [rows, heads, headDim] of [
      [1, 1, 2],
      [17, 3, 10],
      [33, 2, 66],
    ] as const) {
      const positions = integers(rows, 31, -3, 12);
      const shape = { rows, heads, headDim, tableRows: 9, interleaved, inverse };
      const { output, reference } = await rope(shape, normals(rows * heads * headDim, 32), positions);
      expect(largestError(output, reference)).toBeLessThan(3e-7);
    }
  });
});
