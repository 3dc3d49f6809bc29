import { useKernelRunner } from '../testing/kernel-runner.js';
import { floats, integers } from '../testing/values.js';

const runner = useKernelRunner();

describe('gather', () => {
  for (const [rows, tableRows, width] of [
    [1, 1, 1],
    [3, 5, 3],
    [17, 33, 17],
    [65, 3, 65],
    [3000, 100, 33],
  ]) {
    test(`${rows} rows of ${width} out of ${tableRows}`, async () => {
      const table = floats(tableRows * width, 1);
      const indices = integers(rows, 2, -2, tableRows + 2);
      indices[0] = -(2 ** 31);
      const expected = Array.from({ length: rows * width }, (_, at) => {
        const row = indices[Math.floor(at / width)];
        return row >= 0 && row < tableRows ? table[row * width + (at % width)] : 0;
      });
      await runner.check(
        {
          inputs: { table, indices },
          outputs: { output: rows * width },
          kernel: (buffers) => ({ kind: 'gather', rows, tableRows, width, ...buffers }),
        },
        { output: expected },
        { absolute: 0, relative: 0 },
      );
    });
  }
});
