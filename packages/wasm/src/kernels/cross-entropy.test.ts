import { useKernelRunner } from '../testing/kernel-runner.js';
import { crossEntropyReference } from '../testing/row-references.js';
import { floats, integers } from '../testing/values.js';

const runner = useKernelRunner();

function crossEntropy(logits: Float32Array, targets: Int32Array) {
  const rows = targets.length;
  const classes = logits.length / rows;
  return {
    inputs: { logits, targets },
    outputs: { loss: rows, lse: rows },
    kernel: (buffers: Record<'logits' | 'targets' | 'loss' | 'lse', number>) =>
      ({ kind: 'crossEntropy', rows, classes, ...buffers }) as const,
  };
}

describe('crossEntropy', () => {
  for (const [rows, classes] of [
    [1, 1],
    [3, 3],
    [17, 17],
    [5, 33],
    [300, 65],
    [64, 512],
  ]) {
    test(`[${rows}, ${classes}], some targets ignored`, async () => {
      const logits = floats(rows * classes, 1, 8);
      const targets = integers(rows, 2, -2, classes + 2);
      const expected = crossEntropyReference(logits, targets, classes);
      await runner.check(crossEntropy(logits, targets), expected, { absolute: 2e-6, relative: 1e-6 });
    });
  }

  test('a small loss keeps its digits beside large logits', async () => {
    const logits = Float32Array.of(10000, 9990, 9980);
    const { loss } = crossEntropyReference(logits, Int32Array.of(0), 3);
    await runner.check(crossEntropy(logits, Int32Array.of(0)), { loss }, { absolute: 0, relative: 2e-3 });
  });
});
