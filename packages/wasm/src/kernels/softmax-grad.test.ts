import { useKernelRunner } from '../testing/kernel-runner.js';
import { softmaxReference } from '../testing/row-references.js';
import { floats } from '../testing/values.js';

const runner = useKernelRunner();

/** Central differences of sum(dy softmax(x)). */
function differences(x: Float32Array, dy: Float32Array, columns: number, log: boolean): number[] {
  const loss = (at: number, shift: number) => {
    const row = Math.floor(at / columns) * columns;
    const shifted = Float64Array.from(x.subarray(row, row + columns));
    shifted[at - row] += shift;
    return softmaxReference(shifted, columns, log).reduce((sum, y, i) => sum + y * dy[row + i], 0);
  };
  return Array.from(x, (_, at) => (loss(at, 1e-5) - loss(at, -1e-5)) / 2e-5);
}

describe.each([false, true])('softmaxGrad, logarithm: %s', (log) => {
  for (const [rows, columns] of [
    [1, 1],
    [3, 3],
    [17, 17],
    [5, 33],
    [900, 5],
  ]) {
    test(`[${rows}, ${columns}] agrees with finite differences`, async () => {
      const x = floats(rows * columns, 1, 3);
      const dy = floats(rows * columns, 2);
      const y = Float32Array.from(softmaxReference(x, columns, log));
      await runner.check(
        {
          inputs: { y, dy },
          outputs: { dx: rows * columns },
          kernel: (buffers) => ({ kind: 'softmaxGrad', log, rows, columns, ...buffers }),
        },
        { dx: differences(x, dy, columns, log) },
        { absolute: 2e-6, relative: 2e-6 },
      );
    });
  }
});
