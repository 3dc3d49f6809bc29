import type { RopeKernel } from '@transfusion/tensor';
import { type KernelRun, useKernelRunner } from '../testing/kernel-runner.js';
import { floats, integers } from '../testing/values.js';

const runner = useKernelRunner();

type Options = Pick<RopeKernel, 'rows' | 'heads' | 'headDim' | 'tableRows' | 'interleaved' | 'inverse'>;

/** cos and sin of position / theta^(2 i / headDim), theta 10,000. */
function tables(tableRows: number, headDim: number) {
  const angles = Array.from({ length: (tableRows * headDim) / 2 }, (_, at) => {
    const position = Math.floor(at / (headDim / 2));
    return position / 10000 ** ((2 * (at % (headDim / 2))) / headDim);
  });
  return { cos: Float32Array.from(angles, Math.cos), sin: Float32Array.from(angles, Math.sin) };
}

function rope(
  options: Options,
  x: Float32Array,
  positions: Int32Array,
): KernelRun<'x' | 'positions' | 'cos' | 'sin' | 'output'> {
  return {
    inputs: { x, positions, ...tables(options.tableRows, options.headDim) },
    outputs: { output: x.length },
    kernel: (buffers) => ({ kind: 'rope', ...options, ...buffers }),
  };
}

function reference(
  { heads, headDim, tableRows, interleaved, inverse }: Options,
  x: Float32Array,
  positions: Int32Array,
) {
  const { cos, sin } = tables(tableRows, headDim);
  const half = headDim / 2;
  const output = Float64Array.from(x);
  for (let head = 0; head < x.length / headDim; head++) {
    const position = positions[Math.floor(head / heads)];
    if (position < 0 || position >= tableRows) continue;
    for (let i = 0; i < half; i++) {
      const a = head * headDim + (interleaved ? 2 * i : i);
      const b = interleaved ? a + 1 : a + half;
      const c = cos[position * half + i];
      const s = sin[position * half + i] * (inverse ? -1 : 1);
      output[a] = x[a] * c - x[b] * s;
      output[b] = x[a] * s + x[b] * c;
    }
  }
  return output;
}

describe.each([
  [false, false],
  [false, true],
  [true, false],
  [true, true],
])('rope, interleaved: %s, inverse: %s', (interleaved, inverse) => {
  for (const [rows, heads, headDim] of [
    [1, 1, 2],
    [3, 3, 6],
    [17, 2, 10],
    [33, 1, 34],
    [500, 4, 32],
  ]) {
    test(`[${rows}, ${heads}, ${headDim}]`, async () => {
      const options = { rows, heads, headDim, tableRows: 13, interleaved, inverse };
      const x = floats(rows * heads * headDim, 1);
      const positions = integers(rows, 2, -2, 15);
      await runner.check(rope(options, x, positions), { output: reference(options, x, positions) }, { absolute: 3e-7 });
    });
  }
});

test.each([
  [
    1,
    true,
    [-1.1426396637, 1.9220755965, 2.5856788292, 4.2795169111, 4.9397510021, 6.0496991692, 6.9919965013, 8.0069959988],
  ],
  [
    1,
    false,
    [-3.6670526182, 1.3910078307, 2.9298511679, 3.9919980013, 3.5429825141, 6.169691825, 7.0296495029, 8.0039959993],
  ],
  [
    5,
    true,
    [2.2015107348, -0.3915999037, 0.7150455313, 4.9486068634, 4.6938762864, 6.2423974087, 6.9599126668, 8.0348998544],
  ],
])('known values at position %d, interleaved: %s', async (position, interleaved, expected) => {
  const options = { rows: 1, heads: 1, headDim: 8, tableRows: 6, interleaved, inverse: false };
  const x = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  await runner.check(
    rope(options, x, Int32Array.of(position)),
    { output: expected },
    { absolute: 1e-6, relative: 1e-6 },
  );
});
