import { useKernelRunner } from '../testing/kernel-runner.js';
import { crossEntropyReference } from '../testing/row-references.js';
import { floats, integers } from '../testing/values.js';

const runner = useKernelRunner();

/** Central differences of sum(dLoss crossEntropy(logits)). */
function differences(logits: Float32Array, targets: Int32Array, dLoss: Float32Array, classes: number): number[] {
  const loss = (at: number, shift: number) => {
    const row = Math.floor(at / classes);
    const shifted = Float64Array.from(logits.subarray(row * classes, (row + 1) * classes));
    shifted[at - row * classes] += shift;
    return dLoss[row] * crossEntropyReference(shifted, targets.subarray(row, row + 1), classes).loss[0];
  };
  return Array.from(logits, (_, at) => (loss(at, 1e-5) - loss(at, -1e-5)) / 2e-5);
}

describe('crossEntropyGrad', () => {
  for (const [rows, classes] of [
    [1, 1],
    [3, 3],
    [17, 17],
    [5, 33],
    [900, 5],
  ]) {
    test(`[${rows}, ${classes}] agrees with finite differences`, async () => {
      const logits = floats(rows * classes, 1, 4);
      const targets = integers(rows, 2, -2, classes + 2);
      const dLoss = floats(rows, 3);
      const lse = Float32Array.from(crossEntropyReference(logits, targets, classes).lse);
      await runner.check(
        {
          inputs: { logits, targets, lse, dLoss },
          outputs: { dLogits: logits.length },
          kernel: (buffers) => ({ kind: 'crossEntropyGrad', rows, classes, ...buffers }),
        },
        { dLogits: differences(logits, targets, dLoss, classes) },
        { absolute: 2e-6, relative: 2e-6 },
      );
    });
  }
});
