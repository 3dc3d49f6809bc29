import { useKernelRunner } from '../testing/kernel-runner.js';
import { floats, uniforms } from '../testing/values.js';

const runner = useKernelRunner();

/** The numbers from -2 to tableRows + 1 in random order, the first `rows` of them. */
function distinct(rows: number, tableRows: number): Int32Array {
  const next = uniforms(3);
  const order = Array.from({ length: tableRows + 4 }, (_, i) => ({ index: i - 2, key: next() }));
  order.sort((a, b) => a.key - b.key);
  return Int32Array.from(order.slice(0, rows), ({ index }) => index);
}

describe('writeRows', () => {
  for (const [rows, tableRows, width] of [
    [1, 1, 1],
    [3, 5, 3],
    [17, 33, 17],
    [7, 3, 65],
    [3000, 4000, 33],
  ]) {
    test(`${rows} rows of ${width} into ${tableRows}`, async () => {
      const target = floats(tableRows * width, 1);
      const values = floats(rows * width, 2);
      const indices = distinct(rows, tableRows);
      const expected = Float32Array.from(target);
      indices.forEach((index, i) => {
        if (index >= 0 && index < tableRows) expected.set(values.subarray(i * width, (i + 1) * width), index * width);
      });
      await runner.check(
        {
          inputs: { target, indices, values },
          outputs: { target: target.length },
          kernel: (buffers) => ({ kind: 'writeRows', rows, tableRows, width, ...buffers }),
        },
        { target: expected },
        { absolute: 0, relative: 0 },
      );
    });
  }
});
