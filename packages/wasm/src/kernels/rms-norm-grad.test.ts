import { useKernelRunner } from '../testing/kernel-runner.js';
import { rmsNormReference } from '../testing/row-references.js';
import { floats } from '../testing/values.js';

const runner = useKernelRunner();

/** Central differences of sum(dy rmsNorm(x)). */
function differences(x: Float32Array, weight: Float32Array, dy: Float32Array, epsilon: number): number[] {
  const columns = weight.length;
  const loss = (at: number, shift: number) => {
    const row = Math.floor(at / columns) * columns;
    const shifted = Float64Array.from(x.subarray(row, row + columns));
    shifted[at - row] += shift;
    const { output } = rmsNormReference(shifted, weight, epsilon);
    return output.reduce((sum, y, i) => sum + y * dy[row + i], 0);
  };
  return Array.from(x, (_, at) => (loss(at, 1e-5) - loss(at, -1e-5)) / 2e-5);
}

describe('rmsNormGrad', () => {
  for (const [rows, columns] of [
    [1, 1],
    [3, 3],
    [17, 17],
    [5, 33],
    [900, 5],
  ]) {
    test(`[${rows}, ${columns}] agrees with finite differences`, async () => {
      const x = floats(rows * columns, 1, 3);
      const weight = floats(columns, 2);
      const dy = floats(rows * columns, 3);
      const rstd = Float32Array.from(rmsNormReference(x, weight, 0.1).rstd);
      await runner.check(
        {
          inputs: { x, weight, rstd, dy },
          outputs: { dx: x.length },
          kernel: (buffers) => ({ kind: 'rmsNormGrad', rows, columns, ...buffers }),
        },
        { dx: differences(x, weight, dy, 0.1) },
        { absolute: 2e-6, relative: 2e-6 },
      );
    });
  }
});
