import { useKernelRunner } from '../testing/kernel-runner.js';
import { floats, integers } from '../testing/values.js';

const runner = useKernelRunner();

describe('scatterAdd', () => {
  for (const [rows, tableRows, width] of [
    [1, 1, 1],
    [3, 5, 3],
    [17, 33, 17],
    [65, 3, 65],
    [900, 50, 300],
    [2000, 600, 7],
  ]) {
    test(`${rows} rows of ${width} into ${tableRows}, in increasing order`, async () => {
      const updates = floats(rows * width, 1);
      const indices = integers(rows, 2, -2, tableRows + 2);
      indices[rows - 1] = 2 ** 31 - 1;
      // f32 addition in the promised order: every bit must agree.
      const expected = new Float32Array(tableRows * width);
      indices.forEach((index, i) => {
        if (index < 0 || index >= tableRows) return;
        for (let c = 0; c < width; c++) expected[index * width + c] += updates[i * width + c];
      });
      await runner.check(
        {
          inputs: { updates, indices },
          outputs: { output: tableRows * width },
          kernel: (buffers) => ({ kind: 'scatterAdd', rows, tableRows, width, ...buffers }),
        },
        { output: expected },
        { absolute: 0, relative: 0 },
      );
    });
  }
});
